"""The CPU engine: OpenVINO, in float32, without PyTorch installed."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from LightSegLib.bundles import Bundle
from LightSegLib.engines.base import check_batch, cut_to, is_out_of_memory, pad_to_divisors
from LightSegLib.errors import EngineError, MissingDependencyError

if TYPE_CHECKING:
    import openvino

__all__ = ["OpenVinoEngine", "cpu_name"]


class OpenVinoEngine:
    """Runs a bundle's `model.xml` on the CPU; the model is compiled once, when the engine is made.

    `threads` limits the CPU threads (default: one per core). Errors: MissingDependencyError without the openvino
    package, EngineError if the model cannot be compiled.
    """

    name = "openvino"
    device = "cpu"

    def __init__(self, bundle: Bundle, *, threads: int | None = None, reason: str = "asked for") -> None:
        self.reason = reason
        self._bundle_name = bundle.name
        self._divisors = bundle.divisors
        self._compiled = _compile(bundle, threads=threads)
        self._parallel = int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        shape = self._compiled.input(0).get_partial_shape()
        self._dimensions = len(shape)
        self._channels = shape[1].get_length()

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Return float32 logits (n, k, *spatial) of a float32 batch (n, c, *spatial); see `Engine.predict`."""
        batch = check_batch(batch, dimensions=self._dimensions, channels=self._channels, bundle=self._bundle_name)
        try:
            logits = np.concatenate(self._predict_items(pad_to_divisors(batch, self._divisors)))
        except RuntimeError as error:
            raise EngineError(_explain(error, batch.shape[1:], self._bundle_name)) from error
        return cut_to(logits, batch.shape[2:])

    def _predict_items(self, batch: np.ndarray) -> list[np.ndarray]:
        # One item per request: the shape never changes, so OpenVINO prepares its kernels once. Requests take turns
        # instead of calling back into Python from OpenVINO's threads: as fast, and nothing that could deadlock.
        requests = [self._compiled.create_infer_request() for _ in range(min(len(batch), self._parallel))]
        results: list[np.ndarray] = []
        try:
            for index in range(len(batch)):
                request = requests[index % len(requests)]
                if index >= len(requests):
                    results.append(_result_of(request))
                request.start_async([batch[index : index + 1]], share_inputs=True)
            for index in range(len(results), len(batch)):
                results.append(_result_of(requests[index % len(requests)]))
        except RuntimeError:
            # The others still read `batch`.
            for request in requests:
                with contextlib.suppress(RuntimeError):
                    request.wait()
            raise
        return results


def _result_of(request: openvino.InferRequest) -> np.ndarray:
    request.wait()
    # The request's output memory serves the next item: copy it out.
    return np.array(request.get_output_tensor(0).data)


def cpu_name() -> str:
    """Return what OpenVINO calls this machine's CPU."""
    import openvino

    return str(openvino.Core().get_property("CPU", "FULL_DEVICE_NAME")).strip()


def _compile(bundle: Bundle, *, threads: int | None) -> openvino.CompiledModel:
    try:
        import openvino
    except (ImportError, OSError) as error:
        raise MissingDependencyError(
            f"OpenVINO is not installed or does not load ({_last_line(error)}): run `pip install openvino`, or use "
            "--engine pytorch"
        ) from error
    core = openvino.Core()
    try:
        model = core.read_model(bundle.openvino_file)
        slices = len(model.input(0).get_partial_shape()) == 4
        return core.compile_model(model, "CPU", _settings(slices=slices, threads=threads))
    except RuntimeError as error:
        raise EngineError(
            f"OpenVINO cannot compile {bundle.openvino_file} ({_last_line(error)}): update openvino"
        ) from error


def _settings(*, slices: bool, threads: int | None) -> dict[str, Any]:
    settings: dict[str, Any] = {
        # Set explicitly: CPUs with AMX or bf16 instructions would otherwise compute in bf16.
        "INFERENCE_PRECISION_HINT": "f32",
        # Slices: one stream per core, each computing whole slices. Measured for ACU-Net on slices of 4 x 224 x 176 on
        # 2 cores, time relative to both cores on one batch of 16: both on one slice 0.65 to 0.86, a slice each 0.54
        # to 0.57, two slices each 0.52 to 0.58. A volume is a single item: all cores work on it.
        "PERFORMANCE_HINT": "THROUGHPUT" if slices else "LATENCY",
    }
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    return settings


def _explain(error: RuntimeError, shape: tuple[int, ...], bundle: str) -> str:
    if is_out_of_memory(error):
        size = math.prod(shape) * 4 / 2**20
        return (
            f"Not enough memory for model {bundle} on a {size:.0f} MiB input: close other programs or crop the volume"
        )
    return f"OpenVINO failed on model {bundle} with input shape {shape} ({_last_line(error)}): run `lightseg doctor`"


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
