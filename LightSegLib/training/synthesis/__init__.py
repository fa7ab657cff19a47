"""Images made from label maps, for training where real cases are few."""

from LightSegLib.training.synthesis.cases import FlairCase, HeadCase, HeadLibrary
from LightSegLib.training.synthesis.tumor_cases import TumorCase, TumorLibrary

__all__ = ["FlairCase", "HeadCase", "HeadLibrary", "TumorCase", "TumorLibrary"]
