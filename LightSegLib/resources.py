"""Where the resources (models, samples, schemas) lie beside or inside the package."""

from pathlib import Path

from LightSegLib.errors import BundleError

__all__ = ["models_root", "resources_root"]

_PACKAGE = Path(__file__).resolve().parent


def resources_root() -> Path:
    """Return the folder that holds `Models/` and `Samples/`.

    In a wheel it is inside the package (`LightSegLib/Resources`); in the source tree and in the installed tree of
    Slicer (`qt-scripted-modules/`) it is the package's sibling. The inner one comes first: beside an installed wheel
    lie other people's folders.
    Errors: BundleError if neither exists.
    """
    for folder in (_PACKAGE / "Resources", _PACKAGE.parent / "Resources"):
        if (folder / "Models").is_dir():
            return folder
    raise BundleError(f"No folder Resources/Models in or beside {_PACKAGE}: reinstall LightSeg")


def models_root() -> Path:
    """Return the folder with one subfolder per model bundle."""
    return resources_root() / "Models"
