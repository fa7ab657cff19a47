"""NaN and infinity in NIfTI files: ITK replaces them by 0 without a word when it reads."""

import struct

import numpy as np

__all__ = ["NonFiniteCounter"]

HEADER_BYTES = 540
"""Length of a NIfTI-2 header, the longer one."""
FLOAT_CODES = {16: "f4", 64: "f8"}
"""The header's codes for 32 and 64 bit floats. Other types hold no NaN, or no picture."""


class NonFiniteCounter:
    """Counts NaN and infinity among the voxels of a NIfTI file that is fed to it block by block.

    `count` is the number so far; it stays 0 for files of other kinds and for integer voxels.
    Source: nifti1.h and nifti2.h, https://nifti.nimh.nih.gov.
    """

    def __init__(self) -> None:
        self.count = 0
        self._dtype: np.dtype | None = None
        self._rest = b""
        self._header_is_read = False

    def __call__(self, block: bytes) -> None:
        """Take the next block of the uncompressed file."""
        data = self._rest + block
        if not self._header_is_read:
            if len(data) < HEADER_BYTES:
                self._rest = data
                return
            self._header_is_read = True
            self._dtype, voxel_offset = _voxels_described_by(data)
            data = data[voxel_offset:]
        if self._dtype is None:
            self._rest = b""
            return
        usable = len(data) - len(data) % self._dtype.itemsize
        values = np.frombuffer(data, self._dtype, count=usable // self._dtype.itemsize)
        self.count += values.size - int(np.count_nonzero(np.isfinite(values)))
        self._rest = data[usable:]


def _voxels_described_by(header: bytes) -> tuple[np.dtype | None, int]:
    """Return the type of float voxels, or None, and the byte at which voxels start."""
    for order in "<>":
        (length,) = struct.unpack_from(f"{order}i", header)
        if length == 348:
            (code,), (offset,) = (
                struct.unpack_from(f"{order}h", header, 70),
                struct.unpack_from(f"{order}f", header, 108),
            )
        elif length == HEADER_BYTES:
            (code,), (offset,) = (
                struct.unpack_from(f"{order}h", header, 12),
                struct.unpack_from(f"{order}q", header, 168),
            )
        else:
            continue
        if code in FLOAT_CODES:
            return np.dtype(order + FLOAT_CODES[code]), int(offset)
    return None, 0
