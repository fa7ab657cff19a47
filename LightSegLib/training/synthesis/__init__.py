"""Images made from label maps, for training where real cases are few."""

from LightSegLib.training.synthesis.cases import FlairCase, HeadCase, HeadLibrary

__all__ = ["FlairCase", "HeadCase", "HeadLibrary"]
