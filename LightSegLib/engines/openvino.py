"""The CPU engine: OpenVINO, in float32, without PyTorch installed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from LightSegLib.bundles import Bundle
from LightSegLib.engines.base import check_batch, predict_in_parts
from LightSegLib.errors import EngineError, MissingDependencyError

if TYPE_CHECKING:
    import openvino

__all__ = ["OpenVinoEngine"]

# Items of one inference if the bundle's tiling names no batch.
DEFAULT_BATCH = 1


class OpenVinoEngine:
    """Runs a bundle's `model.xml` on the CPU; the model is compiled once, when the engine is made.

    `threads` limits the CPU threads (default: all that this process may use). Errors: MissingDependencyError without
    the openvino package, EngineError if the model cannot be compiled.
    """

    name = "openvino"
    device = "cpu"

    def __init__(self, bundle: Bundle, *, threads: int | None = None, reason: str = "asked for") -> None:
        self.reason = reason
        self._bundle_name = bundle.name
        self._batch = int(bundle.tiling.get("batch", DEFAULT_BATCH))
        self._compiled = _compile(bundle, threads=threads)
        shape = self._compiled.input(0).get_partial_shape()
        self._dimensions = len(shape)
        self._channels = shape[1].get_length()

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Return float32 logits (n, k, *spatial) of a float32 batch (n, c, *spatial); see `Engine.predict`."""
        batch = check_batch(
            batch, dimensions=self._dimensions, channels=self._channels, bundle=self._bundle_name
        )
        request = self._compiled.create_infer_request()

        def infer(part: np.ndarray) -> np.ndarray:
            try:
                # The request reuses its output memory for the next part: copy it out.
                return np.array(request.infer([part], share_inputs=True)[0])
            except RuntimeError as error:
                raise EngineError(_explain(error, part.shape, self._bundle_name)) from error

        return np.concatenate(list(predict_in_parts(batch, size=self._batch, predict=infer)))


def _compile(bundle: Bundle, *, threads: int | None) -> openvino.CompiledModel:
    try:
        import openvino
    except ImportError as error:
        raise MissingDependencyError(
            "OpenVINO is not installed or does not load: run `pip install openvino`, or use --engine pytorch"
        ) from error
    settings: dict[str, str | int] = {
        # Set explicitly: CPUs with AMX or bf16 instructions would otherwise compute in bf16.
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
    }
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    core = openvino.Core()
    try:
        return core.compile_model(core.read_model(bundle.openvino_file), "CPU", settings)
    except RuntimeError as error:
        raise EngineError(
            f"OpenVINO cannot compile {bundle.openvino_file} ({_first_line(error)}): update openvino"
        ) from error


def _explain(error: RuntimeError, shape: tuple[int, ...], bundle: str) -> str:
    text = str(error)
    if "allocate" in text.lower() or "memory" in text.lower():
        size = math.prod(shape) * 4 / 2**20
        return f"Not enough memory for model {bundle} on an input of {size:.0f} MiB: close other programs or crop the input"
    return f"OpenVINO failed on model {bundle} with input shape {shape} ({_first_line(error)})"


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
