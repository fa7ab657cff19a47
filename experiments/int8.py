"""Which networks survive 8-bit integers: `python -m experiments.int8`.

Every network of the registry is trained briefly on one task (volumes: brain extraction at 3 mm; slices: the liver),
because random weights lose more than trained ones, then quantized after training by NNCF with calibration on training
inputs, and scored as it was and as it is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino
import SimpleITK as sitk

from experiments.brain_3d import CROP, HEADS, SPACING_MM, whole_heads
from experiments.liver_skips import CANVAS, TEST_FOLD, Slices, read_stacks
from experiments.runner import Trained, Variant, arguments, train_variant
from LightSegLib.measures import dice
from LightSegLib.networks.sd import resolve_weight_standardization
from LightSegLib.preprocess import HeadVolume
from LightSegLib.training.export import to_openvino
from LightSegLib.training.fold import fold_batch_norm
from LightSegLib.training.loader import Source
from LightSegLib.training.sources import build_source
from LightSegLib.volumes import read_labelmap, read_volume, to_lps

VOLUME = {"in_channels": 1, "out_channels": 1, "width": 8, "depth": 4}
SLICE = {"in_channels": 1, "out_channels": 1, "dimensions": 2}
VOLUMES = (
    Variant("Pocket U-Net", "pocket_unet", VOLUME),
    Variant("Pocket ResNet", "pocket_resnet", VOLUME),
    Variant("Pocket DenseNet", "pocket_densenet", VOLUME),
    Variant("Pocket HRNet", "pocket_hrnet", {**VOLUME, "depth": 3}),
    Variant("Pocket nnU-Net", "pocket_nnunet", VOLUME),
    Variant("Low-rank Res-U-Net, batch norm", "low_rank_res_unet", {**VOLUME, "normalization": "batch"}),
    Variant("Low-rank Res-U-Net, instance norm", "low_rank_res_unet", VOLUME),
    Variant("SAT-V-Net", "sat_vnet", {"in_channels": 1, "out_channels": 1, "width": 8, "depth": 3}),
    Variant("SAT-U-Net, volumes", "sat_unet", {"in_channels": 1, "out_channels": 1, "width": 8}),
)
SLICES = (
    Variant("ACU-Net", "acu", {"in_channels": 1, "out_channels": 1}),
    Variant("U-Net", "unet", {"in_channels": 1, "out_channels": 1, "width": 16}),
    Variant("SD-UNet, group norm", "sd_unet", {"in_channels": 1, "out_channels": 1, "width": 16}),
    Variant(
        "SD-UNet, batch norm", "sd_unet", {"in_channels": 1, "out_channels": 1, "width": 16, "normalization": "batch"}
    ),
    Variant("SAT-U-Net, slices", "sat_unet", {**SLICE, "width": 16}),
    Variant("SAT-Tiramisu", "sat_tiramisu", {**SLICE, "width": 16, "depth": 3, "growth": 8, "layers": 3}),
)
CALIBRATION_BATCHES = 30
RUNS = 7  # of each model in turn, for the ratio of times
# What issue of a bundle in int8 asks for.
LARGEST_LOSS, SMALLEST_AGREEMENT = 0.005, 0.99


@dataclass(frozen=True)
class ScoredCase:
    """A network's input, float32 (n, 1, *spatial), and the truth beside its output, bool."""

    array: np.ndarray
    truth: np.ndarray


def scored_heads(data: Path) -> list[ScoredCase]:
    """Return the FLAIR of the whole heads on the network's grid."""
    preprocessor, cases = HeadVolume(channel="MR", spacing_mm=SPACING_MM), []
    for case in whole_heads(data / "wmh"):
        prepared = preprocessor.prepare({"MR": to_lps(read_volume(case.path("FLAIR")))})
        brain = to_lps(read_labelmap(case.path("brainmask")))
        truth = sitk.Resample(brain, prepared.grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
        cases.append(ScoredCase(prepared.array, sitk.GetArrayFromImage(truth)[None, None] > 0))
    return cases


def quantized(model: openvino.Model, items: Sequence[np.ndarray]) -> openvino.Model:
    """Return the model in 8 bits, calibrated on inputs (1, c, *spatial)."""
    import nncf

    return nncf.quantize(model, nncf.Dataset(items), preset=nncf.QuantizationPreset.MIXED, subset_size=len(items))


def compile_exactly(model: openvino.Model) -> openvino.CompiledModel:
    """Compile a model for the CPU; what is not quantized is computed in fp32."""
    settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    return openvino.Core().compile_model(model, "CPU", settings)


def compare(trained: Trained, source: Source, cases: Sequence[ScoredCase]) -> dict[str, float]:
    """Return Dice to the truth of both, their Dice to each other (mean and lowest), ratios of time and of weights."""
    network = trained.network
    resolve_weight_standardization(network)
    fold_batch_norm(network)
    model = to_openvino(network, example_shape=cases[0].array[:1].shape)
    # batches that training did not see
    batches = [source.batch(10**6 + index)[0] for index in range(CALIBRATION_BATCHES)]
    small = quantized(model, [batch[i : i + 1] for batch in batches for i in range(len(batch))])
    compiled = [compile_exactly(each) for each in (model, small)]
    exact, rounded = ([_predict(each, case.array) for case in cases] for each in compiled)
    both = [dice(a, b) for a, b in zip(exact, rounded, strict=True)]
    seconds = np.array([[_seconds(each, cases[0].array[:1]) for each in compiled] for _ in range(RUNS)])
    return {
        "Dice, fp32": float(np.mean([dice(a, case.truth) for a, case in zip(exact, cases, strict=True)])),
        "Dice, int8": float(np.mean([dice(a, case.truth) for a, case in zip(rounded, cases, strict=True)])),
        "int8 to fp32, mean": float(np.mean(both)),
        "int8 to fp32, lowest": float(np.min(both)),
        "time, int8 / fp32": float(np.median(seconds[:, 1]) / np.median(seconds[:, 0])),
    }


def _predict(model: openvino.CompiledModel, array: np.ndarray) -> np.ndarray:
    return np.concatenate([np.array(model([array[i : i + 1]])[0]) for i in range(len(array))]) > 0


def _seconds(model: openvino.CompiledModel, array: np.ndarray) -> float:
    start = time.perf_counter()
    model([array])
    return time.perf_counter() - start


def verdict(*, exact: float, rounded: float, lowest: float) -> str:
    """Tell "yes" or "no": whether loss of mean Dice and lowest agreement are good enough for a bundle to be shipped."""
    return "yes" if exact - rounded <= LARGEST_LOSS and lowest >= SMALLEST_AGREEMENT else "no"


def main() -> None:
    """Train, quantize and compare all networks, and write the table."""
    options = arguments(__doc__, steps=150)
    settings = {"kind": "brain", "heads": HEADS, "batch": 2, "crop": CROP, "real": 0}
    volumes = build_source(settings, data=options.data, cache=options.cache, seed=options.seed)
    stacks = read_stacks(options.data / "liver")
    slices = Slices([stack for stack in stacks if stack.fold != TEST_FOLD], seed=options.seed)
    livers = [ScoredCase(stack.slices[:, None], stack.liver[:, None]) for stack in stacks if stack.fold == TEST_FOLD]
    rows = [
        "| network | input | parameters | Dice, fp32 | Dice, int8 | int8 to fp32, mean | lowest | time | survives |",
        "| --- " * 9 + "|",
    ]
    for variants, source, cases, shape, kind in (
        (VOLUMES, volumes, scored_heads(options.data), CROP, "int8-brain"),
        (SLICES, slices, livers, [CANVAS, CANVAS], "int8-liver"),
    ):
        for variant in variants:
            trained = train_variant(
                variant, source, kind=kind, steps=options.steps, seed=options.seed, runs=options.runs
            )
            parameters = sum(parameter.numel() for parameter in trained.network.parameters())
            scores = compare(trained, source, cases)
            figures = " | ".join(f"{value:.3f}" for value in scores.values())
            size = " x ".join(map(str, shape))
            survives = verdict(
                exact=scores["Dice, fp32"], rounded=scores["Dice, int8"], lowest=scores["int8 to fp32, lowest"]
            )
            rows.append(f"| {variant.label} | {size} | {parameters:,} | {figures} | {survives} |")
            print(rows[-1], flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "int8.md").write_text("\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
