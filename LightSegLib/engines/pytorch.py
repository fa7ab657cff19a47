"""The PyTorch engine: CUDA, MPS, or the CPU where OpenVINO is absent."""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from LightSegLib.bundles import Bundle
from LightSegLib.engines.base import check_batch, cut_to, is_out_of_memory, pad_to_divisors
from LightSegLib.errors import EngineError
from LightSegLib.networks import build_network
from LightSegLib.networks.sd import resolve_weight_standardization

__all__ = ["PyTorchEngine", "device_name", "load_network", "pytorch_devices"]

# Items computed together if the bundle's tiling names no batch.
DEFAULT_BATCH = 1


def pytorch_devices() -> tuple[str, ...]:
    """Return the devices that PyTorch can compute on here, the fastest first."""
    devices = []
    if torch.cuda.is_available():
        devices.append("cuda")
    if torch.backends.mps.is_available():
        devices.append("mps")
    return (*devices, "cpu")


def device_name(device: str) -> str:
    """Return what the maker calls `device`, one of `pytorch_devices()`."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return "Apple GPU" if device == "mps" else f"{torch.get_num_threads()} threads"


def load_network(bundle: Bundle) -> torch.nn.Module:
    """Build the bundle's network with its fp16 weights widened to float32, in evaluation mode, on the CPU.

    safetensors holds numbers only, so a bundle cannot run code. Errors: EngineError if the weights do not fit.
    """
    try:
        weights = load_file(bundle.weights_file)
        network = build_network(bundle.network_name, **bundle.network_arguments)
        resolve_weight_standardization(network)  # as at export: the bundle has the kernels themselves
        network.load_state_dict({name: _widened(tensor) for name, tensor in weights.items()})
    except (SafetensorError, ValueError, TypeError, RuntimeError) as error:
        raise EngineError(
            f"{bundle.weights_file} does not fit network '{bundle.network_name}' of model {bundle.name} "
            f"({_first_line(error)}): "
            f"update LightSeg or export the bundle again"
        ) from error
    return network.eval().requires_grad_(False)


class PyTorchEngine:
    """Runs a bundle's `model.safetensors` in float32 on `device` ("cuda", "mps" or "cpu").

    When memory runs out, the number of items computed together is halved, down to one. `threads` limits the CPU
    threads during `predict`.
    """

    name = "pytorch"

    def __init__(
        self, bundle: Bundle, *, device: str = "cpu", threads: int | None = None, reason: str = "asked for"
    ) -> None:
        self.device = device
        self.reason = reason
        self._bundle_name = bundle.name
        self._divisors = bundle.divisors
        self._batch = int(bundle.tiling.get("batch", DEFAULT_BATCH))
        self._threads = threads
        network = load_network(bundle)
        first = next(parameter for parameter in network.parameters() if parameter.ndim >= 4)
        self._dimensions = first.ndim
        self._channels = int(first.shape[1])
        # Measured on a CPU: 1.6 times faster in 3D; on CUDA the 2D layout is never slower, the 3D one can be.
        self._layout = _memory_format(device, self._dimensions)
        try:
            self._network = network.to(device).to(memory_format=self._layout)  # type: ignore[call-overload]
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise EngineError(self._memory_message(error)) from error
            raise EngineError(f"PyTorch cannot use device {device} ({_first_line(error)}): use --device cpu") from error

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Return float32 logits (n, k, *spatial) of a float32 batch (n, c, *spatial); see `Engine.predict`."""
        batch = check_batch(batch, dimensions=self._dimensions, channels=self._channels, bundle=self._bundle_name)
        shape, batch = batch.shape[2:], pad_to_divisors(batch, self._divisors)
        parts = []
        start = 0
        with torch.inference_mode(), _full_precision(), _cpu_threads(self._threads):
            while start < len(batch):
                part = batch[start : start + self._batch]
                logits = self._predict_part(part)
                if logits is None:
                    self._batch = max(1, len(part) // 2)
                    continue
                parts.append(logits)
                start += len(part)
        return cut_to(np.concatenate(parts), shape)

    def _predict_part(self, part: np.ndarray) -> np.ndarray | None:
        # None: out of memory, to be tried again with fewer items.
        try:
            tensor = torch.from_numpy(part).to(self.device).contiguous(memory_format=self._layout)
            return self._network(tensor).float().cpu().numpy()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise EngineError(
                    f"PyTorch failed on model {self._bundle_name} with input shape {part.shape} "
                    f"({_first_line(error)}): run `lightseg doctor`"
                ) from error
            if len(part) == 1:
                raise EngineError(self._memory_message(error)) from error
        if self.device == "cuda":
            torch.cuda.empty_cache()
        return None

    def _memory_message(self, error: Exception) -> str:
        return (
            f"Not enough memory on {self.device} for model {self._bundle_name} "
            f"({_first_line(error)}): close other programs or use --device cpu"
        )


def _widened(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].strip()


def _memory_format(device: str, dimensions: int) -> torch.memory_format:
    if dimensions == 4:
        return torch.channels_last
    return torch.channels_last_3d if device == "cpu" else torch.contiguous_format


@contextlib.contextmanager
def _full_precision() -> Iterator[None]:
    """Compute convolutions in true float32, not TF32, so that every engine gives the same numbers."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=False, allow_tf32=False):
        yield


@contextlib.contextmanager
def _cpu_threads(threads: int | None) -> Iterator[None]:
    """Limit PyTorch's threads for a while; the setting is global to the process, so it is put back."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
