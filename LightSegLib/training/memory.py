"""Memory that the C library keeps between training steps instead of giving it back and asking again."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_freed_memory"]

# Parameters of mallopt(3) in glibc's malloc.h.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
LARGEST_INT = 2**31 - 1
TOP_PAD_BYTES = 256 << 20


def keep_freed_memory() -> bool:
    """Stop glibc from returning freed memory to the kernel; True where that was possible (Linux with glibc).

    Every step frees and allocates the same hundreds of megabytes; mapped anew, each page costs a fault and a clearing.
    A step of ACU-Net, 16 x 4 x 224 x 176 on one core: 1.12 s -> 0.80 s.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: LARGEST_INT, M_TOP_PAD: TOP_PAD_BYTES}
    return all([mallopt(name, value) == 1 for name, value in settings.items()])
