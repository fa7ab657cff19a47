"""What differs from level to level of a network: the width, the kernel and the way down to the next level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

__all__ = ["Levels", "level_widths", "require_positive"]


def require_positive(**counts: int) -> None:
    """Raise ValueError if one of the named counts is below 1."""
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1, got {count}")


def level_widths(width: int, depth: int, *, pocket: bool, largest_width: int | None) -> tuple[int, ...]:
    """Return the feature maps of each level, 0 (finest) to `depth`: min(width * 2**level, largest_width).

    `largest_width` is where the doubling stops, None for nowhere: the networks of Table IV. `pocket` is short for a
    `largest_width` of `width`, the constant width of Definition 2.1.

    ValueError for counts below 1, a `largest_width` below `width`, and `pocket` with a `largest_width` above it.
    """
    require_positive(width=width, depth=depth)
    if largest_width is not None and largest_width < width:
        raise ValueError(f"largest_width must be at least the width of the first level, {width}, got {largest_width}")
    if pocket and largest_width not in (None, width):
        raise ValueError(
            f"pocket=True keeps {width} feature maps at every level, got largest_width={largest_width}: "
            "leave it out, or pass pocket=False"
        )
    largest = width if pocket else largest_width
    doubled = (width * 2**level for level in range(depth + 1))
    return tuple(w if largest is None else min(w, largest) for w in doubled)


@dataclass(frozen=True)
class Levels:
    """The levels of an encoder, finest first: a width and a kernel for each, and a stride from each to the next.

    Strides and kernels are tuples with one entry for each spatial axis.
    """

    widths: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    kernels: tuple[tuple[int, ...], ...]

    @classmethod
    def of(
        cls,
        widths: tuple[int, ...],
        dimensions: int,
        *,
        strides: Sequence[Sequence[int]] | None = None,
        kernels: Sequence[Sequence[int]] | None = None,
    ) -> Levels:
        """Make levels that halve every axis and have 3-wide kernels, unless `strides` or `kernels` say otherwise.

        ValueError for dimensions other than 2 or 3, a wrong number of strides (one less than levels), of kernels (as
        many as levels) or of axes, strides other than 1 and 2, strides that halve no axis, and even kernels.
        """
        if dimensions not in (2, 3):
            raise ValueError(f"dimensions must be 2 or 3, got {dimensions}")
        levels = len(widths)
        strides = [(2,) * dimensions] * (levels - 1) if strides is None else strides
        kernels = [(3,) * dimensions] * levels if kernels is None else kernels
        if len(strides) != levels - 1:
            raise ValueError(f"strides must have one entry for each of the {levels - 1} downsamplings, got {strides}")
        if len(kernels) != levels:
            raise ValueError(f"kernels must have one entry for each of the {levels} levels, got {kernels}")
        for stride in strides:
            if len(stride) != dimensions or set(stride) not in ({1, 2}, {2}):
                raise ValueError(f"a stride must have {dimensions} entries of 1 or 2, not all 1, got {stride}")
        for kernel in kernels:
            if len(kernel) != dimensions or any(size < 1 or size % 2 == 0 for size in kernel):
                raise ValueError(f"a kernel must have {dimensions} odd entries, got {kernel}")
        return cls(widths, tuple(tuple(stride) for stride in strides), tuple(tuple(kernel) for kernel in kernels))

    @property
    def dimensions(self) -> int:
        """The number of spatial axes."""
        return len(self.kernels[0])

    @property
    def divisor(self) -> int:
        """What every spatial size must be a multiple of, which is what the axis that is halved most needs."""
        return max(prod(axis) for axis in zip(*self.strides, strict=True))
