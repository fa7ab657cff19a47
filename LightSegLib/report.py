"""One self-contained HTML page about a result: pictures, volumes, agreement, timings, provenance."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from LightSegLib.pipeline.result import Result, json_ready
from LightSegLib.report_pictures import REFERENCE_COLOR, SEGMENTATION_COLOR, Picture, draw_pictures
from LightSegLib.report_template import FIGURE, PAGE

__all__ = ["MEASURES", "render_report", "write_report"]

MEASURES = (
    ("dice", "Dice", "{:.3f}"),
    ("hd95_mm", "HD95 (mm)", "{:.1f}"),
    ("hausdorff_mm", "Hausdorff (mm)", "{:.1f}"),
    ("assd_mm", "ASSD (mm)", "{:.2f}"),
    ("avd_percent", "AVD (%)", "{:.1f}"),
    ("lesion_recall", "Lesion recall", "{:.3f}"),
    ("lesion_f1", "Lesion F1", "{:.3f}"),
    ("ppv", "PPV", "{:.3f}"),
    ("tpr", "TPR", "{:.3f}"),
    ("fpr", "FPR", "{:.5f}"),
)
"""Measures in the order shown: key in Agreement.to_json(), title with unit, number format."""


def write_report(result: Result, path: Path) -> None:
    """Write the report of a result as UTF-8 HTML."""
    # File names may hold bytes that are no text.
    path.write_text(render_report(result), encoding="utf-8", errors="xmlcharrefreplace")


def render_report(result: Result) -> str:
    """Return the report of a result as one HTML page that refers to no other file."""
    provenance = result.provenance
    colors = {segment.value: segment.color for segment in result.segments} if len(result.segments) > 1 else None
    pictures = draw_pictures(result.shown, result.labelmap, result.reference, colors=colors, window=result.window)
    names = ", ".join(segment.name for segment in result.segments)
    inputs = " · ".join(f"{channel}: {entry['name']}" for channel, entry in provenance["inputs"].items())
    return Template(PAGE).substitute(
        title=escape(f"{names}: segmentation report"),
        subtitle=escape(f"{inputs} · {provenance['created'].replace('T', ' ').replace('+00:00', ' UTC')}"),
        lightseg=escape(provenance["versions"]["lightseg"]),
        segmentation_color=_css(SEGMENTATION_COLOR),
        reference_color=_css(REFERENCE_COLOR),
        figures=_headline(result),
        legend=_legend(result),
        pictures="\n".join(_figure(picture) for picture in pictures),
        volumes=_volumes(result),
        agreement=_agreement(result),
        timings=_table([[stage.replace("_", " "), f"{s:.2f} s"] for stage, s in result.timings_s.items()]),
        provenance=_provenance(provenance),
        hashes=_hashes(provenance),
    )


def _headline(result: Result) -> str:
    shown = [structure.name for structure in result.regions or result.segments]
    figures = [(f"{result.volumes_ml[name]:.2f} ml", name) for name in shown]
    if result.lesion_count is not None:
        figures.append((str(result.lesion_count), "lesions"))
    for name in shown if result.agreements else ():
        title = "Dice with the reference" + (f", {name}" if len(shown) > 1 else "")
        figures.append((_number(result.agreements[name].dice, "{:.3f}"), title))
    if "network" in result.timings_s:  # else the segmentation was only measured
        figures.append((f"{result.timings_s['total']:.1f} s", f"on {result.provenance['engine']['device'].upper()}"))
    return "".join(
        f'<div><b>{escape(value)}</b><span class="soft">{escape(name)}</span></div>' for value, name in figures
    )


def _legend(result: Result) -> str:
    entries = [("var(--segmentation)", "Segmentation")]
    if len(result.segments) > 1:
        entries = [(_css(segment.color), segment.name) for segment in result.segments]
    if result.reference is not None:
        entries.append(("var(--reference)", "Reference"))
    swatches = [
        f'<span><span class="swatch" style="background:{color}"></span>{escape(name)}</span>' for color, name in entries
    ]
    return "".join(swatches) + '<span class="soft hint">Point at a picture to hide the contours.</span>'


def _figure(picture: Picture) -> str:
    return Template(FIGURE).substitute(
        image=picture.image_uri,
        contour=picture.contour_uri,
        width=picture.width,
        height=picture.height,
        title=escape(picture.title),
        caption=escape(picture.caption),
    )


def _volumes(result: Result) -> str:
    rows = [[name, f"{ml:.2f} ml"] for name, ml in result.volumes_ml.items()]
    if result.lesion_count is not None:
        rows.append(["Lesions", str(result.lesion_count)])
    header: list[str] = []
    if result.agreement is not None:
        header = ["", "Segmentation", "Reference"]
        for row, agreement in zip(rows, result.agreements.values(), strict=False):
            row.append(f"{agreement.reference_volume_ml:.2f} ml")
        if result.lesion_count is not None:
            rows[-1].append(str(result.agreement.reference_lesion_count))
    return _table(rows, header=header)


def _agreement(result: Result) -> str:
    if not result.agreements:
        return ""
    measured = [agreement.to_json() for agreement in result.agreements.values()]
    rows = [[title, *(_number(one.get(key), form) for one in measured)] for key, title, form in MEASURES]
    header = ["", *result.agreements] if len(measured) > 1 else []
    return f"<section><h2>Agreement with the reference</h2>{_table(rows, header=header)}</section>"


def _provenance(provenance: Mapping[str, Any]) -> str:
    engine, options, precision = provenance["engine"], provenance["options"], provenance["precision"]
    models, finder = [provenance["model"], *provenance["further_models"]], provenance["finder_model"]
    rows = [["Model", " + ".join(f"{model['name']} {model['version']}" for model in models)]]
    if provenance["brain"] is not None:
        rows.append(["Brain", f"{provenance['brain']} ({finder['name']} {finder['version']})"])
    if provenance["box"] is not None:
        size = " x ".join(map(str, provenance["box"]["size"]))
        rows.append(["Segmented box", f"{size} voxels (found by {finder['name']} {finder['version']})"])
    if engine is not None:
        rows.append(["Engine", f"{engine['name']} on {engine['device']}: {engine['reason']}"])
    if precision is not None:
        rows.append(["Precision", f"{precision['name']}: {precision['reason']}"])
    if options:
        given = (f"{name} {_option(value)}" for name, value in options.items() if value is not None)
        rows.append(["Options", ", ".join(given)])
    for channel, entry in provenance["inputs"].items():
        size = " x ".join(map(str, entry["size"]))
        spacing = " x ".join(f"{mm:.3g}" for mm in entry["spacing_mm"])
        rows.append([channel, f"{entry['name']}: {size} voxels of {spacing} mm, {entry['pixel_type']}"])
    if provenance["missing_inputs"]:
        rows.append(["Not given", ", ".join(provenance["missing_inputs"])])
    if provenance["reference"] is not None:
        rows.append(["Reference", provenance["reference"]])
    rows += [["Note", note] for note in provenance["notes"]]
    rows.append(["Software", ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())])
    rows.append(["Platform", provenance["platform"]])
    return _table(rows, numbers=False)


def _option(value: Any) -> str:
    return " ".join(f"{key}={one}" for key, one in value.items()) if isinstance(value, Mapping) else str(value)


def _hashes(provenance: Mapping[str, Any]) -> str:
    models = [provenance["model"], *provenance["further_models"]]
    models += [] if provenance["finder_model"] is None else [provenance["finder_model"]]
    rows = [
        f'<tr><th>{escape(model["name"])}/{escape(name)}</th><td class="hash">{escape(digest)}</td></tr>'
        for model in models
        for name, digest in model["sha256"].items()
    ]
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def _table(rows: Iterable[Sequence[str]], *, header: Sequence[str] = (), numbers: bool = True) -> str:
    kind = ' class="number"' if numbers else ' class="break"'
    head = "".join(f"<th{kind if i else ''}>{escape(cell)}</th>" for i, cell in enumerate(header))
    body = "".join(
        f"<tr><th>{escape(row[0])}</th>" + "".join(f"<td{kind}>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )
    return f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"


def _number(value: Any, form: str) -> str:
    finite = json_ready(value)
    return "–" if finite is None else form.format(finite)


def _css(color: tuple[int, int, int]) -> str:
    return "rgb({}, {}, {})".format(*color)
