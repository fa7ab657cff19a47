"""The one step before a run: make sure that the worker will find its packages."""

from LightSegLib.errors import InstallationDeclinedError, MissingDependencyError
from LightSegLib.slicer_bridge.installer.consent import Consent, ConsentDialog
from LightSegLib.slicer_bridge.installer.install import check_can_install, install
from LightSegLib.slicer_bridge.installer.plan import Refusal, here, make_plan, missing_requirements

__all__ = ["ensure_dependencies", "missing_dependencies"]


def missing_dependencies(engine: str = "openvino") -> list[str]:
    """Return what `engine`, "openvino" or "pytorch", needs and this Python lacks, without importing any of it."""
    return missing_requirements(engine, here())


def ensure_dependencies(*, interactive: bool, consent: Consent | None = None, engine: str = "openvino") -> None:
    """Make sure that `engine`, "openvino" or "pytorch", is installed; only if `interactive`, offer to install it.

    `consent` is asked once (None: a dialog). Errors: MissingDependencyError if something is missing and was not
    installed, with what to do; its kinds InstallationDeclinedError, and InstallationFailedError, which Slicer has
    already shown.
    """
    plan = make_plan(engine, here())
    if isinstance(plan, Refusal):
        raise MissingDependencyError(plan.text)
    if not plan.packages:
        return
    names = ", ".join(package.requirement for package in plan.packages)
    if not interactive:
        raise MissingDependencyError(
            f"LightSeg needs {names}, which is not installed: click Segment in the LightSeg module, or call again with "
            "interactive=True, to be asked"
        )
    check_can_install(plan)
    answer = (ConsentDialog() if consent is None else consent).ask(plan)
    if not answer.is_install:
        raise InstallationDeclinedError(
            f"LightSeg needs {names}, which was not installed: click Segment to be asked again"
        )
    install(plan, folder=answer.folder)
    still = missing_dependencies(engine)
    if still:
        raise MissingDependencyError(
            f"{', '.join(still)} is still missing although pip reported no error: restart Slicer and try again"
        )
