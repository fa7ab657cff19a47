"""Which engine runs a bundle on this machine, and why."""

from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

from LightSegLib.bundles import Bundle
from LightSegLib.engines.base import Engine
from LightSegLib.engines.self_test import check_engine
from LightSegLib.errors import EngineError, MissingDependencyError

__all__ = [
    "DEVICES",
    "ENGINES",
    "PRECISIONS",
    "available_devices",
    "choose_precision",
    "create_engine",
    "device_name",
]

ENGINES = ("auto", "openvino", "pytorch")
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32")


def available_devices() -> dict[str, tuple[str, ...]]:
    """Return the devices of each installed engine, the fastest first; an engine that does not load has none."""
    return {"openvino": ("cpu",) if _import_problem("openvino") is None else (), "pytorch": _pytorch_devices()}


def device_name(engine: str, device: str) -> str:
    """Return what the maker calls a device of `available_devices()`."""
    if engine == "openvino":
        from LightSegLib.engines.openvino import cpu_name

        return cpu_name()
    from LightSegLib.engines.pytorch import device_name as pytorch_device_name

    return pytorch_device_name(device)


def choose_precision(asked: str) -> tuple[str, str]:
    """Return the precision that the engines compute in, and why; EngineError for an unknown one."""
    _check_choice("precision", asked, PRECISIONS)
    return "fp32", "asked for" if asked == "fp32" else "the one that the models are tested in"


def create_engine(bundle: Bundle, *, engine: str = "auto", device: str = "auto", threads: int | None = None) -> Engine:
    """Make the engine that runs `bundle`.

    `auto` takes PyTorch on CUDA or MPS if it sees one that passes the bundle's numerical self-test, else OpenVINO on
    the CPU, else PyTorch on the CPU; the engine's `reason` says which and why. `threads` limits the CPU threads.
    Errors: EngineError for an unknown or absent device or engine, MissingDependencyError for an engine that is not
    installed.
    """
    _check_choice("engine", engine, ENGINES)
    _check_choice("device", device, DEVICES)
    if threads is not None and threads < 1:
        raise EngineError(f"The number of threads must be 1 or more, got {threads}")
    if engine == "openvino":
        if device not in ("auto", "cpu"):
            raise EngineError(f"OpenVINO runs on the CPU only, not on {device}: use --engine pytorch or --device cpu")
        return _openvino(bundle, threads, "asked for")
    if engine == "pytorch" or device in ("cuda", "mps"):
        return _asked_pytorch(bundle, device, threads)
    return _automatic(bundle, device, threads)


def _asked_pytorch(bundle: Bundle, device: str, threads: int | None) -> Engine:
    problem = _import_problem("pytorch")
    if problem is not None:
        raise MissingDependencyError(
            f"The PyTorch engine needs torch and safetensors ({problem}): run `pip install lightseg[pytorch]`, or use "
            "--engine openvino --device cpu"
        )
    devices = _pytorch_devices()
    chosen = devices[0] if device == "auto" else device
    if chosen not in devices:
        raise EngineError(
            f"PyTorch sees no {chosen} device here, only {', '.join(devices)}: use --device cpu, or install a driver "
            f"and a PyTorch build that fit"
        )
    reason = "asked for" if device != "auto" else f"PyTorch was asked for, {chosen} is its fastest device here"
    return _verified(bundle, _pytorch(bundle, chosen, threads, reason))


def _automatic(bundle: Bundle, device: str, threads: int | None) -> Engine:
    refused = ""
    gpu = next((name for name in _pytorch_devices() if name != "cpu"), None) if device == "auto" else None
    if gpu is not None:
        try:
            return _verified(bundle, _pytorch(bundle, gpu, threads, f"PyTorch sees a {gpu} device"))
        except EngineError as error:
            refused = f"{gpu} was refused ({error}); "
    why_cpu = f"{refused}no usable GPU" if device == "auto" else "the CPU was asked for"
    problem = _import_problem("openvino")
    if problem is None:
        return _openvino(bundle, threads, f"{why_cpu}, OpenVINO is the fastest on the CPU")
    if "cpu" in _pytorch_devices():
        return _pytorch(bundle, "cpu", threads, f"{why_cpu}, and OpenVINO does not load ({problem})")
    raise MissingDependencyError(f"No inference engine is installed ({problem}): run `pip install openvino`")


def _verified(bundle: Bundle, engine: Engine) -> Engine:
    # A GPU library with a wrong kernel gives a plausible, wrong mask (PyTorch 2.9 with cuDNN 9.8 did): test each
    # time, one small input costs milliseconds. The CPU engines are tested by `lightseg doctor` and at export.
    if engine.device != "cpu":
        check_engine(bundle, engine)
    return engine


def _check_choice(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise EngineError(f"Unknown {what} '{value}'; known: {', '.join(known)}")


def _openvino(bundle: Bundle, threads: int | None, reason: str) -> Engine:
    from LightSegLib.engines.openvino import OpenVinoEngine

    return OpenVinoEngine(bundle, threads=threads, reason=reason)


def _pytorch(bundle: Bundle, device: str, threads: int | None, reason: str) -> Engine:
    from LightSegLib.engines.pytorch import PyTorchEngine

    return PyTorchEngine(bundle, device=device, threads=threads, reason=reason)


def _import_problem(engine: str) -> str | None:
    """Return why an engine's file cannot be imported, or None; a broken build is told like an absent one."""
    try:
        import_module("openvino" if engine == "openvino" else "LightSegLib.engines.pytorch")
    except (ImportError, OSError) as error:
        return (str(error).splitlines() or [type(error).__name__])[0]
    return None


def _pytorch_devices() -> tuple[str, ...]:
    if find_spec("torch") is None or find_spec("safetensors") is None:
        return ()
    # Importing PyTorch takes seconds; a build for the CPU alone says so in its version.
    if version("torch").endswith("+cpu"):
        return ("cpu",)
    if _import_problem("pytorch") is not None:
        return ()
    from LightSegLib.engines.pytorch import pytorch_devices

    return pytorch_devices()
