"""What the gated skip connections of a model attend to, as images (SAT paper, figures 6 and 7).

Importing this file imports PyTorch.
"""

from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk
import torch
from torch.nn import functional

from LightSegLib.bundles import Bundle
from LightSegLib.engines import create_engine
from LightSegLib.engines.pytorch import load_network
from LightSegLib.errors import BundleError
from LightSegLib.geometry import to_grid_of, to_lps
from LightSegLib.networks.sat import SkipGate
from LightSegLib.pipeline.channels import VolumeSource, align_channels, read_channels
from LightSegLib.pipeline.finding import focus, load_finder
from LightSegLib.preprocess import build_preprocessor

__all__ = ["attention_maps", "gate_maps"]

BATCH = 8


def attention_maps(bundle: Bundle, images: Mapping[str, VolumeSource]) -> list[sitk.Image]:
    """Return one map for each gated skip connection, finest level first: float32 in 0..1 on the grid of the input.

    `images` are those that `Segmenter.segment` takes; what it would not look at (beyond the brain, or the organ's box)
    is 0. Runs on the CPU.
    Raises BundleError for a model without such gates, and InputError and its kinds for unusable inputs.
    """
    network = load_network(bundle)
    if not _gates(network):
        raise BundleError(
            f"Model {bundle.name} ({bundle.network_name}) has no gates that attend: choose one with "
            "select-attend-transfer gates."
        )
    channels = align_channels(read_channels(bundle.inputs, images))
    oriented = {name: to_lps(image) for name, image in channels.images.items()}
    preprocessor = build_preprocessor(bundle.preprocessing, [channel.name for channel in bundle.inputs])
    seen = focus(
        oriented,
        channels.main,
        bundle=bundle,
        preprocessors=[preprocessor],
        finder=load_finder([bundle]),
        engine_of=lambda finder: create_engine(finder, device="cpu"),
        name=channels.names[channels.main],
        advance=lambda fraction: None,
    )
    prepared = preprocessor.prepare(seen.images, brain=seen.mask)
    maps = np.concatenate(
        [gate_maps(network, prepared.array[start : start + BATCH]) for start in range(0, len(prepared.array), BATCH)]
    )
    return [to_grid_of(seen.uncut(image), channels.images[channels.main]) for image in prepared.restore(maps)]


def gate_maps(network: torch.nn.Module, batch: np.ndarray) -> np.ndarray:
    """Return what each gate of a network attends to for a batch (n, c, *spatial): float32 (n, gates, *spatial).

    Finest level first; coarser maps are enlarged linearly.
    """
    caught: list[torch.Tensor] = []
    hooks = [gate.register_forward_hook(lambda _, __, output: caught.append(output)) for gate in _gates(network)]
    try:
        with torch.inference_mode():
            network(torch.from_numpy(batch))
    finally:
        for hook in hooks:
            hook.remove()
    mode = "bilinear" if batch.ndim == 4 else "trilinear"
    caught.sort(key=lambda map_: -map_.shape[-1])
    maps = [functional.interpolate(one, size=batch.shape[2:], mode=mode, align_corners=False) for one in caught]
    return torch.cat(maps, dim=1).numpy()


def _gates(network: torch.nn.Module) -> list[SkipGate]:
    return [module for module in network.modules() if isinstance(module, SkipGate) and module.filter is not None]
