"""Volumes and agreement as two table nodes: one row per segment and region, numbers as numbers."""

import math
from collections.abc import Mapping
from typing import Any

import slicer
import vtk

__all__ = ["MEASURES", "show_agreement", "show_volumes", "table_text"]

MEASURES = (
    ("dice", "Dice"),
    ("hd95_mm", "HD95 [mm]"),
    ("avd_percent", "AVD [%]"),
    ("lesion_recall", "Lesion recall"),
    ("lesion_f1", "Lesion F1"),
    ("hausdorff_mm", "Hausdorff [mm]"),
    ("assd_mm", "ASSD [mm]"),
    ("ppv", "PPV"),
    ("tpr", "TPR"),
    ("fpr", "FPR"),
)
"""Columns of the agreement, what is asked for first first: key in the result, title with unit."""
LESION_MEASURES = frozenset({"lesion_recall", "lesion_f1"})
"""Only where the model counts lesions."""


def show_volumes(node: "slicer.vtkMRMLTableNode", result: Mapping[str, Any]) -> None:
    """Replace the content of a table node by the volumes of a result in JSON form, as `Result.to_json` gives it.

    One row for each segment, then for each region made of segments; columns: name, volume in ml, and the number of
    lesions where the model counts them.
    """
    volumes = result["volumes_ml"]
    columns: dict[str, list[float | None]] = {"Volume [ml]": list(volumes.values())}
    if result["lesion_count"] is not None:
        columns["Lesions"] = [result["lesion_count"]] * len(volumes)
    _fill(node, list(volumes), columns)


def show_agreement(node: "slicer.vtkMRMLTableNode", result: Mapping[str, Any]) -> None:
    """Replace the content of a table node by the agreement of a result in JSON form with its reference.

    One row for each segment, then for each region; an undefined measure is an empty cell (NaN).
    """
    agreements = result["agreement"]
    measures = [one for one in MEASURES if result["lesion_count"] is not None or one[0] not in LESION_MEASURES]
    _fill(node, list(agreements), {title: [row.get(key) for row in agreements.values()] for key, title in measures})


def table_text(node: "slicer.vtkMRMLTableNode") -> str:
    """Return a table as lines of tab-separated cells, titles first, as spreadsheets paste it; empty cells for NaN."""
    table = node.GetTable()
    columns = range(table.GetNumberOfColumns())
    lines = ["\t".join(table.GetColumnName(column) for column in columns)]
    lines += [
        "\t".join(_cell(table.GetValue(row, column)) for column in columns) for row in range(node.GetNumberOfRows())
    ]
    return "\n".join(lines) + "\n"


def _cell(value: vtk.vtkVariant) -> str:
    if not value.IsDouble():
        return str(value.ToString())
    return "" if math.isnan(value.ToDouble()) else f"{value.ToDouble():.6g}"


def _fill(node: "slicer.vtkMRMLTableNode", names: list[str], columns: Mapping[str, list[float | None]]) -> None:
    modified = node.StartModify()
    node.RemoveAllColumns()
    first = vtk.vtkStringArray()
    first.SetName("Segment")
    for name in names:
        first.InsertNextValue(name)
    node.AddColumn(first)
    for title, values in columns.items():
        column = vtk.vtkDoubleArray()
        column.SetName(title)
        for value in values:
            column.InsertNextValue(float("nan") if value is None else value)
        node.AddColumn(column)
    node.SetUseColumnTitleAsColumnHeader(True)
    node.EndModify(modified)
