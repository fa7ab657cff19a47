"""What a segment is: its value in the labelmap, name, color and coded meaning; and regions made of segments."""

from dataclasses import dataclass

__all__ = ["Code", "Region", "Segment", "Terminology"]

CATEGORY_CONTEXT = "Segmentation category and type - 3D Slicer General Anatomy list"
REGION_CONTEXT = "Anatomic codes - DICOM master list"
"""The terminologies that 3D Slicer brings along; it looks our codes up in them to show them in its selector."""

SEPARATORS = "~^|\n\r"
"""Characters that delimit the parts of Slicer's serialized terminology and tags, so no part may contain them."""


@dataclass(frozen=True)
class Code:
    """A coded concept as in DICOM: scheme ("SCT" is SNOMED CT), value ("85756007") and meaning ("Tissue").

    Raises ValueError when a part is empty or contains a character that delimits parts in Slicer's strings.
    """

    scheme: str
    value: str
    meaning: str

    def __post_init__(self) -> None:
        for part in (self.scheme, self.value, self.meaning):
            if not part or any(separator in part for separator in SEPARATORS):
                raise ValueError(f"code part {part!r} must be text without any of {SEPARATORS!r}")

    def __str__(self) -> str:
        return f"{self.scheme}^{self.value}^{self.meaning}"


@dataclass(frozen=True)
class Terminology:
    """What a segment shows: category, type, and optionally the type's modifier and the anatomic region."""

    category: Code
    type: Code
    modifier: Code | None = None
    anatomic_region: Code | None = None


@dataclass(frozen=True)
class Segment:
    """One structure in a labelmap: its positive value, name, color (red, green, blue in 0..255) and terminology.

    Raises ValueError when the value, the name or the color cannot be stored in a segmentation file.
    """

    value: int
    name: str
    color: tuple[int, int, int]
    terminology: Terminology

    def __post_init__(self) -> None:
        if not 1 <= self.value <= 65535:
            raise ValueError(f"segment {self.name!r} has value {self.value}: expected 1 to 65535, as 0 is background")
        if not self.name or "\n" in self.name or "\r" in self.name:
            raise ValueError(f"segment of value {self.value} has name {self.name!r}: expected one line of text")
        if len(self.color) != 3 or not all(0 <= part <= 255 for part in self.color):
            raise ValueError(f"segment {self.name!r} has color {self.color}: expected three numbers in 0..255")

    def terminology_tag(self) -> str:
        """Serialize the terminology the way 3D Slicer stores it in a segment's "TerminologyEntry" tag.

        Seven parts, separated by `~`: context, category, type, modifier, region's context, region, region's modifier.
        Source: vtkSlicerTerminologiesModuleLogic::SerializeTerminologyEntry.
        """
        parts = (self.terminology.category, self.terminology.type, self.terminology.modifier)
        region = self.terminology.anatomic_region
        texts = [CATEGORY_CONTEXT, *map(_code_text, parts), REGION_CONTEXT, _code_text(region), _code_text(None)]
        return "~".join(texts)


@dataclass(frozen=True)
class Region:
    """A union of segments that is measured beside them: its name and the label values that belong to it."""

    name: str
    values: tuple[int, ...]


def _code_text(code: Code | None) -> str:
    return "^^" if code is None else str(code)
