"""What the commands print: JSON, plain tables, and a progress line on a terminal."""

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from LightSegLib.pipeline.result import Result, json_ready
from LightSegLib.report import MEASURES

__all__ = ["ProgressLine", "agreement_rows", "format_table", "measured_lines", "print_json"]


def print_json(options: argparse.Namespace, value: Mapping[str, Any]) -> None:
    """Print the one JSON object of a run to the real stdout."""
    # ASCII, as the reader may expect another encoding.
    print(json.dumps(json_ready(value), indent=2), file=options.json_stream, flush=True)


def format_table(rows: Sequence[Sequence[str]], *, header: Sequence[str] = ()) -> str:
    """Align the cells of rows in columns, the first to the left and the others to the right, indented by two."""
    lines = [header, *rows] if header else list(rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    aligned = []
    for title, *cells in lines:
        padded = [title.ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(cells, widths[1:], strict=True))]
        aligned.append("  " + "  ".join(padded).rstrip())
    return "\n".join(aligned)


def agreement_rows(agreements: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Return one row per measure: its title, then its value for each of the named agreements; "-" where undefined."""
    rows = []
    for key, title, form in MEASURES:
        values = [json_ready(agreement.get(key)) for agreement in agreements.values()]
        rows.append([title, *("-" if value is None else form.format(value) for value in values)])
    return rows


def measured_lines(result: Result) -> list[str]:
    """Return the volumes, the lesion count and the agreement of a result as blocks of lines, each below its title."""
    lines = ["", "Volumes", format_table([[name, f"{ml:.2f} ml"] for name, ml in result.volumes_ml.items()])]
    if result.lesion_count is not None:
        lines.append(f"  {result.lesion_count} lesion{'' if result.lesion_count == 1 else 's'}")
    if result.agreements:
        measured = {name: agreement.to_json() for name, agreement in result.agreements.items()}
        lines += ["", f"Agreement with {result.provenance['reference']}"]
        lines.append(format_table(agreement_rows(measured), header=["", *measured]))
    return lines


class ProgressLine:
    """One line on a terminal that is rewritten as the work goes on; silent when the stream is no terminal."""

    WIDTH = 24

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._active = self._stream.isatty()
        self._shown = ""

    def __call__(self, fraction: float, message: str) -> None:
        """Show the fraction done (0..1) and what is being done."""
        filled = round(self.WIDTH * fraction)
        self.say(f"[{'#' * filled}{'.' * (self.WIDTH - filled)}] {fraction:4.0%}  {message}")

    def say(self, text: str) -> None:
        """Show a text in place of the last one, cut to the terminal's width."""
        if not self._active:
            return
        text = text[: max(1, shutil.get_terminal_size().columns - 1)]
        if text != self._shown:
            self._stream.write(f"\r{text}\x1b[K")
            self._stream.flush()
            self._shown = text

    def close(self) -> None:
        """Clear the line, so that what is printed next starts on a clean one."""
        if self._active and self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = ""
