"""The numerical self-test: a fixed input, and what the network answered to it when the bundle was made."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from LightSegLib.bundles import Bundle
from LightSegLib.engines.base import Engine
from LightSegLib.errors import BundleError, EngineError

__all__ = ["TOLERANCE", "check_engine", "make_input", "self_test_settings"]

# Largest allowed difference of a logit, relative to the largest reference logit. Engines agree within 1e-5 in
# float32; bf16 or TF32 arithmetic differs by 1e-2 to 1e-3, a wrong kernel by far more.
TOLERANCE = 5e-4

# Logits kept as the reference, evenly spread over the output, so that metadata.json stays small.
SAMPLES = 64


def make_input(shape: tuple[int, ...], *, seed: int = 0) -> np.ndarray:
    """Return standard normal float32 noise of `shape`; the same in every version of NumPy.

    RandomState, not Generator: NumPy promises that its stream never changes.
    """
    return np.random.RandomState(seed).standard_normal(shape).astype(np.float32)


def self_test_settings(logits: np.ndarray, *, shape: tuple[int, ...], seed: int = 0) -> dict[str, Any]:
    """Return what `metadata.json` keeps about `logits`, the reference answer to `make_input(shape, seed=seed)`."""
    return {
        "shape": list(shape),
        "seed": seed,
        "tolerance": TOLERANCE,
        "scale": _short(np.abs(logits).max()),
        "answers": [_short(value) for value in _answers(logits)],
    }


def check_engine(bundle: Bundle, engine: Engine) -> float:
    """Run the bundle's self-test on `engine` and return the largest difference, relative to the largest logit.

    The reference is absolute, stored at export by PyTorch on a CPU, so that a machine with a single engine is tested
    too. Errors: EngineError if the answer is wrong, BundleError if the bundle has no self-test.
    """
    settings = _settings_of(bundle)
    logits = engine.predict(make_input(tuple(settings["shape"]), seed=settings["seed"]))
    reference = np.asarray(settings["answers"], dtype=np.float64)
    found = _answers(logits)
    if found.shape != reference.shape:
        raise EngineError(
            f"Model {bundle.name} on {engine.name} {engine.device} answers with shape {logits.shape}, which is not the "
            f"reference's: reinstall LightSeg"
        )
    difference = float(np.abs(found - reference).max() / settings["scale"])
    if not difference <= settings["tolerance"]:
        raise EngineError(
            f"Model {bundle.name} gives wrong numbers on {engine.name} {engine.device}: they differ by "
            f"{_readable(difference)} of the largest logit, {settings['tolerance']:g} is allowed; use another device, "
            f"or update {engine.name} and the driver"
        )
    return difference


def _settings_of(bundle: Bundle) -> Mapping[str, Any]:
    settings = bundle.metadata["lightseg"].get("self_test")
    if settings is None:
        raise BundleError(f"Model {bundle.name} in {bundle.folder} has no self-test: export the bundle again")
    return settings


def _answers(logits: np.ndarray) -> np.ndarray:
    # Mean and root mean square see every logit, the samples see each in its place.
    flat = logits.reshape(-1).astype(np.float64)
    positions = np.linspace(0, flat.size - 1, min(SAMPLES, flat.size)).round().astype(int)
    return np.concatenate([[flat.mean(), np.sqrt(np.mean(flat**2))], flat[positions]])


def _short(value: float) -> float:
    # Eight digits are what a float32 holds.
    return float(f"{value:.8g}")


def _readable(difference: float) -> str:
    return f"{difference:.2g}" if math.isfinite(difference) else "an infinite amount"
