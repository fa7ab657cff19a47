"""Errors that LightSeg raises on purpose.

Every message is one line and says what was wrong, with which file or node, and what to do about it.
"""

__all__ = [
    "BundleError",
    "CancelledError",
    "ChannelError",
    "EngineError",
    "GeometryError",
    "InputError",
    "InstallationDeclinedError",
    "InstallationFailedError",
    "LightSegError",
    "MissingDependencyError",
    "OutputError",
    "RecipeError",
]


class LightSegError(Exception):
    """Base of every error that LightSeg raises on purpose; its text is fit to show to a user."""


class InputError(LightSegError):
    """An image cannot be read, or its content cannot be segmented."""


class GeometryError(InputError):
    """An image's grid is unusable, or two grids do not fit together."""


class ChannelError(InputError):
    """A named input is missing, unknown, given twice, or of another modality."""


class BundleError(LightSegError):
    """A model bundle is unknown, incomplete or altered."""


class EngineError(LightSegError):
    """An inference engine or device is not available, or gave a wrong result."""


class MissingDependencyError(LightSegError):
    """A package of an optional extra is not installed."""


class InstallationDeclinedError(MissingDependencyError):
    """The user was asked and did not want a package installed: no reason for another message box."""


class InstallationFailedError(MissingDependencyError):
    """An installation was started and failed."""


class OutputError(LightSegError):
    """A result cannot be written."""


class RecipeError(LightSegError):
    """A training recipe is malformed."""


class CancelledError(LightSegError):
    """The caller asked to stop; nothing was written."""
