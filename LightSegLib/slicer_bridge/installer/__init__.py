"""First use: what Slicer lacks, asking for it, and installing it without changing what Slicer has."""

from LightSegLib.slicer_bridge.installer.consent import INSTALL, NOT_NOW, Answer, Consent
from LightSegLib.slicer_bridge.installer.ensure import ensure_dependencies, missing_dependencies
from LightSegLib.slicer_bridge.installer.plan import InstallPlan, Machine, Refusal, make_plan

__all__ = [
    "INSTALL",
    "NOT_NOW",
    "Answer",
    "Consent",
    "InstallPlan",
    "Machine",
    "Refusal",
    "ensure_dependencies",
    "make_plan",
    "missing_dependencies",
]
