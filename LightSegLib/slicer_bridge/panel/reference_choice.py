"""Which segment of a reference the result is compared with, where that is a question."""

from typing import Any

from LightSegLib.bundles import Bundle
from LightSegLib.slicer_bridge.panel.choice_box import ChoiceBox

__all__ = ["ReferenceChoice"]


class ReferenceChoice:
    """The selector of the reference's segment; it shows where the model has one segment and the reference several."""

    def __init__(self, ui: Any) -> None:
        self._widgets = (ui.referenceSegmentSelector, ui.referenceSegmentLabel)
        self._parameters: Any = None
        self._segment = ChoiceBox(ui.referenceSegmentSelector, self._on_segment)

    def show(self, bundle: Bundle, parameters: Any) -> None:
        """Offer the segments of the reference that a typed parameter node holds."""
        self._parameters = parameters
        names = _segment_names(parameters.reference)
        is_needed = len(names) > 1 and len(bundle.segments) == 1
        for widget in self._widgets:
            widget.visible = is_needed
        wanted = parameters.reference_segment or bundle.segments[0].name
        chosen = self._segment.fill([(name, name) for name in names] if is_needed else [], wanted)
        if chosen != parameters.reference_segment:
            parameters.reference_segment = chosen

    def _on_segment(self, name: str) -> None:
        self._parameters.reference_segment = name


def _segment_names(node: Any) -> list[str]:
    if node is None or not node.IsA("vtkMRMLSegmentationNode"):
        return []
    segmentation = node.GetSegmentation()
    return [segmentation.GetSegment(key).GetName() for key in segmentation.GetSegmentIDs()]
