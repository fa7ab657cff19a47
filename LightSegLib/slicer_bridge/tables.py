"""Volumes and agreement as a table node: one row per segment and region, numbers as numbers."""

from collections.abc import Mapping
from typing import Any

import slicer
import vtk

__all__ = ["MEASURES", "show_measures"]

MEASURES = (
    ("dice", "Dice"),
    ("hd95_mm", "HD95 [mm]"),
    ("hausdorff_mm", "Hausdorff [mm]"),
    ("assd_mm", "ASSD [mm]"),
    ("avd_percent", "AVD [%]"),
    ("lesion_recall", "Lesion recall"),
    ("lesion_f1", "Lesion F1"),
    ("ppv", "PPV"),
    ("tpr", "TPR"),
    ("fpr", "FPR"),
)
"""Columns of the agreement: key in the result, title with unit."""


def show_measures(node: "slicer.vtkMRMLTableNode", result: Mapping[str, Any]) -> None:
    """Replace the content of a table node by the measures of a result in JSON form, as `Result.to_json` gives it.

    One row for each segment, then for each region made of segments. Columns: name, volume in ml, lesion count where the
    model counts lesions, then the agreement if there was a reference. An undefined measure is an empty cell (NaN).
    """
    volumes, agreements = result["volumes_ml"], result["agreement"] or {}
    columns: dict[str, list[float | None]] = {"Volume [ml]": list(volumes.values())}
    if result["lesion_count"] is not None:
        columns["Lesions"] = [result["lesion_count"]] * len(volumes)
    if agreements:
        for key, title in MEASURES:
            columns[title] = [agreements.get(name, {}).get(key) for name in volumes]
    modified = node.StartModify()
    node.RemoveAllColumns()
    names = vtk.vtkStringArray()
    names.SetName("Segment")
    for name in volumes:
        names.InsertNextValue(name)
    node.AddColumn(names)
    for title, values in columns.items():
        column = vtk.vtkDoubleArray()
        column.SetName(title)
        for value in values:
            column.InsertNextValue(float("nan") if value is None else value)
        node.AddColumn(column)
    node.SetUseColumnTitleAsColumnHeader(True)
    node.EndModify(modified)
