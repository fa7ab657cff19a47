"""A segmentation or a labelmap volume on the grid of the input, in world space: a reference, or a corrected result."""

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
import slicer
import vtk
from vtk.util import numpy_support

from LightSegLib.errors import GeometryError, InputError
from LightSegLib.pipeline.structures import reference_lookup
from LightSegLib.segments import Segment
from LightSegLib.slicer_bridge.grids import Grid, matrix_from_vtk, vtk_from_matrix
from LightSegLib.slicer_bridge.transforms import ParentTransform, parent_transform, reslice
from LightSegLib.slicer_bridge.volumes import node_grid, scalar_image_data

__all__ = ["labelmap_of"]

BINARY = "Binary labelmap"
NODE_CLASSES = ("vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode", "vtkMRMLScalarVolumeNode")


def labelmap_of(
    node: "slicer.vtkMRMLNode",
    grid: Grid,
    segments: Sequence[Segment],
    *,
    known_values: Sequence[tuple[int, ...]] = (),
    segment_name: str = "",
    what: str = "reference",
    may_lack: bool = False,
) -> sitk.Image:
    """Return a node as a uint16 labelmap (LPS) with the values of `segments` on `grid` (world space).

    `what` it is called in messages. Transforms above the node, linear or not, are applied; another grid is resampled
    with nearest neighbor, in one step. In a segmentation node the segments are found by name, then by terminology;
    `segment_name`, if given, or a single segment stands for a single segment; with `may_lack`, one that is not there
    is empty. In a volume the values must be those of `segments`; a single value other than 0 stands for a single
    segment. With `known_values`, a bundle's `reference_values`, a volume has one of these sets and keeps it.
    Errors: InputError if the node is of another kind, empty of voxels or its segments or values do not fit;
    GeometryError if nothing of it lies within `grid`.
    """
    if node is None or not any(node.IsA(name) for name in NODE_CLASSES):
        got = "nothing" if node is None else f'{node.GetNodeTagName()} "{node.GetName()}"'
        raise InputError(f"A {what} must be a segmentation or a labelmap volume, got {got}")
    if node.IsA("vtkMRMLSegmentationNode"):
        labels, is_empty = _from_segmentation(node, grid, _matches(node, segments, segment_name, what, may_lack))
    else:
        labels, is_empty = _from_volume(node, grid, segments, known_values)
    if not labels.any() and not is_empty:
        raise GeometryError(
            f'The {what} "{node.GetName()}" lies wholly outside the input volume: '
            "check that they belong together and that their transforms agree"
        )
    return grid.image(labels)


def _from_volume(
    node: "slicer.vtkMRMLVolumeNode",
    grid: Grid,
    segments: Sequence[Segment],
    known_values: Sequence[tuple[int, ...]],
) -> tuple[np.ndarray, bool]:
    image_data = scalar_image_data(node)
    values = np.unique(slicer.util.arrayFromVolume(node))
    found = [value for value in values.tolist() if value != 0]
    lookup = {segment.value: segment.value for segment in segments if segment.value in found}
    if len(found) == 1 and len(segments) == 1:
        lookup = {found[0]: segments[0].value}
    if known_values:
        # What they mean is told where they are compared; here they must only mean something.
        reference_lookup(found, segments, known_values, name=f'The reference "{node.GetName()}"')
        lookup = {value: int(value) for value in found}
    elif found and not lookup:
        expected = ", ".join(str(segment.value) for segment in segments)
        raise InputError(
            f'The reference "{node.GetName()}" has {len(found)} values, none of them {expected}: '
            "choose a labelmap of the same structures"
        )
    sampled = reslice(image_data, node_grid(node).ijk_to_ras, parent_transform(node), grid, labels=True)
    labels = np.zeros(sampled.shape, np.uint16)
    for value, label in lookup.items():
        labels[sampled == value] = label
    return labels, not found


def _from_segmentation(
    node: "slicer.vtkMRMLSegmentationNode", grid: Grid, matches: Sequence[tuple[str, Segment]]
) -> tuple[np.ndarray, bool]:
    parent = parent_transform(node)
    segmentation = _with_labelmaps(node, parent, grid)
    labels = np.zeros(grid.size[::-1], np.uint16)
    is_empty = True
    for segment_id, segment in matches:
        source = segmentation.GetSegment(segment_id)
        image_data = source.GetRepresentation(BINARY)
        if image_data is None or image_data.IsEmpty():
            continue
        value = source.GetLabelValue()
        voxels = numpy_support.vtk_to_numpy(image_data.GetPointData().GetScalars())
        is_empty = is_empty and not np.any(voxels == value)
        matrix = vtk.vtkMatrix4x4()
        image_data.GetImageToWorldMatrix(matrix)
        sampled = reslice(image_data, matrix_from_vtk(matrix), parent, grid, labels=True)
        labels[sampled == value] = segment.value
    return labels, is_empty


def _matches(
    node: "slicer.vtkMRMLSegmentationNode", segments: Sequence[Segment], segment_name: str, what: str, may_lack: bool
) -> list[tuple[str, Segment]]:
    """Return the id of the node's segment for each of `segments`, by name, else by terminology."""
    segmentation = node.GetSegmentation()
    own = {segment_id: segmentation.GetSegment(segment_id) for segment_id in segmentation.GetSegmentIDs()}
    chosen = [key for key, other in own.items() if segment_name in ("", other.GetName())]
    if segment_name and len(chosen) != 1:
        raise InputError(f'The {what} "{node.GetName()}" has no segment "{segment_name}": choose one that it has')
    if len(chosen) == 1 and len(segments) == 1:
        return [(chosen[0], segments[0])]
    pairs = []
    for segment in segments:
        named = [key for key, other in own.items() if other.GetName().casefold() == segment.name.casefold()]
        coded = [key for key, other in own.items() if _meaning(_tag(other)) == _meaning(segment.terminology_tag())]
        fitting = named or coded
        if not fitting and may_lack:
            continue
        if len(fitting) != 1:
            names = ", ".join(other.GetName() for other in own.values()) or "none"
            problem = "several segments" if fitting else "no segment"
            raise InputError(
                f'The {what} "{node.GetName()}" has {problem} for {segment.name} (its segments: {names}): '
                f'name one of them "{segment.name}"'
            )
        pairs.append((fitting[0], segment))
    return pairs


def _tag(segment: "slicer.vtkSegment") -> str:
    text = vtk.reference("")
    segment.GetTag("TerminologyEntry", text)
    return str(text)


def _meaning(tag: str) -> list[str]:
    """Return scheme and value of the category, type and modifier in a serialized terminology."""
    return ["^".join(code.split("^")[:2]) for code in tag.split("~")[1:4]]


def _with_labelmaps(
    node: "slicer.vtkMRMLSegmentationNode", parent: ParentTransform, grid: Grid
) -> "slicer.vtkSegmentation":
    """Return the node's segmentation, or a copy of it whose surfaces are filled on the voxels of `grid`."""
    segmentation = node.GetSegmentation()
    if segmentation.ContainsRepresentation(BINARY) or not segmentation.GetNumberOfSegments():
        return segmentation
    own = grid if parent.matrix is None else grid.moved_by(np.linalg.inv(parent.matrix))
    extent = [0, grid.size[0] - 1, 0, grid.size[1] - 1, 0, grid.size[2] - 1]
    converter = slicer.vtkSegmentationConverter
    geometry = converter.SerializeImageGeometry(vtk_from_matrix(own.ijk_to_ras), extent)
    copy = slicer.vtkSegmentation()
    copy.DeepCopy(segmentation)
    copy.SetConversionParameter(converter.GetReferenceImageGeometryParameterName(), geometry)
    if not copy.CreateRepresentation(BINARY, True):
        raise InputError(f'The surfaces of the reference "{node.GetName()}" cannot be filled: use a labelmap')
    return copy
