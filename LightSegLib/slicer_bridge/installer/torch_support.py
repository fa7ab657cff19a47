"""PyTorch for graphics cards, by Slicer's extension PyTorch, which chooses the build that fits the driver."""

from typing import Any

from packaging.requirements import Requirement

from LightSegLib.errors import InstallationFailedError, MissingDependencyError

__all__ = ["check_extension", "install_torch"]


def check_extension() -> None:
    """Check that the extension is there; MissingDependencyError says how to get it."""
    _logic()


def install_torch(requirement: str) -> None:
    """Install PyTorch; the user has agreed already, so the extension does not ask again.

    Errors: MissingDependencyError without the extension, InstallationFailedError if it failed.
    """
    logic = _logic()
    try:
        torch = logic.installTorch(
            askConfirmation=False, torchVersionRequirement=str(Requirement(requirement).specifier)
        )
    except (
        Exception
    ) as error:  # the extension names no errors: pip, a library that does not load, an old PyTorch in use
        raise InstallationFailedError(
            f"Slicer's extension PyTorch could not install {requirement} ({_first_line(error)}): restart Slicer, "
            "install PyTorch in the module PyTorch Utils, or choose the device CPU"
        ) from error
    if torch is None:
        raise MissingDependencyError(f"{requirement} was not installed: try again, or choose the device CPU")


def _logic() -> Any:
    try:
        import PyTorchUtils
    except ImportError:
        raise MissingDependencyError(
            'A graphics card needs Slicer\'s extension "PyTorch": install it from the Extensions Manager, restart '
            "Slicer and try again, or choose the device CPU"
        ) from None
    return PyTorchUtils.PyTorchUtilsLogic()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
