"""Which slices of a volume tell most about its segmentation."""

from collections.abc import Iterable

import numpy as np

__all__ = ["PICTURE_COUNT", "choose_slices"]

PICTURE_COUNT = 6
DISAGREEMENT_COUNT = 2
"""With a reference, so many of the pictures show where the two differ most."""


def choose_slices(
    labeled: np.ndarray,
    differing: np.ndarray | None,
    *,
    tissue: np.ndarray,
    count: int = PICTURE_COUNT,
    gap: int = 1,
) -> list[int]:
    """Return the indices of the most telling slices of bool arrays (slice, row, column), ascending, without repeats.

    `labeled`: in the segmentation or the reference; `differing`: labeled differently by the two, None without a
    reference. The slices with labels are cut into groups of equal labeled area, and the one with the largest area is
    taken from each; with a reference, the slices of the largest disagreement come first. Chosen slices are at least
    `gap` apart. Without any label: slices spread evenly over the tissue.
    """
    areas = labeled.sum(axis=(1, 2))
    if not areas.any():
        filled = np.flatnonzero(tissue.any(axis=(1, 2)))
        span = filled if len(filled) else np.arange(len(labeled))
        return sorted({int(span[round((len(span) - 1) * (i + 1) / (count + 1))]) for i in range(count)})
    chosen: list[int] = []

    def choose(candidates: Iterable[int], limit: int) -> None:
        for index in candidates:
            if len(chosen) < limit and all(abs(index - other) >= gap for other in chosen):
                chosen.append(int(index))

    if differing is not None:
        errors = differing.sum(axis=(1, 2))
        choose((i for i in np.argsort(-errors, kind="stable") if errors[i]), min(count, DISAGREEMENT_COUNT))
    before = (np.cumsum(areas) - areas / 2) / areas.sum()
    groups = np.minimum((before * count).astype(int), count - 1)
    groups[areas == 0] = -1
    largest = [int(np.where(groups == g, areas, 0).argmax()) for g in range(count) if (groups == g).any()]
    choose(sorted(largest, key=lambda i: -areas[i]), count)
    choose((i for i in np.argsort(-areas, kind="stable") if areas[i]), count)
    return sorted(chosen)
