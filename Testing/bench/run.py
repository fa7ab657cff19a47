"""`make bench`: measures times and install size and writes them into docs/benchmarks.md."""

from pathlib import Path

import install_size
import segment_times
from document import replace_section

REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> None:
    """Measure, print and write every section."""
    page = REPOSITORY / "docs" / "benchmarks.md"
    sections = {
        "install-size": install_size.measure(REPOSITORY),
        "segment-times": segment_times.measure(REPOSITORY / "Resources" / "Samples" / "wmh_flair.nii.gz"),
    }
    for name, text in sections.items():
        print(f"\n{name}\n\n{text}")
        replace_section(page, name, text)


if __name__ == "__main__":
    main()
