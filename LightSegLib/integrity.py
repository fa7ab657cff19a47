"""Whether an image file is whole: the compressed stream ends properly and its checksum is right.

ITK reads a truncated .nii.gz without an error, as an image with missing parts, and writes one on a full disk just so.
"""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from LightSegLib.errors import InputError

__all__ = ["check_complete"]

AUTOMATIC_FORMAT = zlib.MAX_WBITS | 32
"""Makes zlib accept both gzip and zlib streams."""
READ_BYTES = 1 << 18
INFLATE_BYTES = 1 << 22
"""At most so much is inflated at once, however strongly the file is compressed."""
MAX_SURPLUS_BYTES = 1 << 26
"""Header and extensions of a NIfTI file are smaller than this; a stream that goes on longer is no image."""
MAX_HEADER_BYTES = 1 << 20
NIFTI_HEADER_BYTES = 352


def check_complete(path: Path, *, image_bytes: int, inspect: Callable[[bytes], None] | None = None) -> None:
    """Check that a file holds all of its image: `image_bytes` are the bytes of all voxels, uncompressed.

    Compressed NIfTI, NRRD and MHA are inflated in small steps, which takes about 0.1 s per 25 MB; nothing is kept.
    `inspect` is given these steps, and those of an uncompressed NIfTI file, in order.
    Raises InputError when the file is shorter than its header says, damaged, or much longer.
    """
    with path.open("rb") as file:
        if _seek_compressed(file):
            length, expected = 0, image_bytes
            for block in _inflated(file, path):
                length += len(block)
                if length > image_bytes + MAX_SURPLUS_BYTES:
                    raise InputError(f"{path} holds far more data than its header says; export the image again.")
                if inspect is not None:
                    inspect(block)
        elif path.suffix.lower() in (".nii", ".gz"):
            length, expected = path.stat().st_size, NIFTI_HEADER_BYTES + image_bytes
            file.seek(0)
            while inspect is not None and (block := file.read(INFLATE_BYTES)):
                inspect(block)
        else:
            return
    if length < expected:
        raise _truncated(path)


def _seek_compressed(file: BinaryIO) -> bool:
    """Go to the start of the compressed voxels; False when there are none in this file."""
    head = file.read(MAX_HEADER_BYTES)
    if head.startswith(b"\x1f\x8b"):
        start = 0
    elif head.startswith(b"NRRD") and b"encoding: gz" in (header := head.partition(b"\n\n")[0]):
        if b"data file:" in header or b"datafile:" in header:
            return False
        start = len(header) + 2
    elif b"ElementDataFile = LOCAL" in head and b"CompressedData = True" in head:
        start = head.index(b"\n", head.index(b"ElementDataFile = LOCAL")) + 1
    else:
        return False
    file.seek(start)
    return True


def _inflated(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """Yield the content of all compressed streams from here to the end of the file, in blocks of limited size."""
    stream = zlib.decompressobj(AUTOMATIC_FORMAT)
    try:
        while pending := stream.unconsumed_tail or stream.unused_data or file.read(READ_BYTES):
            if stream.eof:
                # gzip files may consist of several streams, one after the other, and end in zeros.
                if not pending.strip(b"\0"):
                    return
                stream = zlib.decompressobj(AUTOMATIC_FORMAT)
            yield stream.decompress(pending, INFLATE_BYTES)
    except zlib.error:
        raise InputError(f"{path} is damaged: its compressed data cannot be read; copy or download it again.") from None
    if not stream.eof:
        raise _truncated(path)


def _truncated(path: Path) -> InputError:
    return InputError(f"{path} is truncated: it ends before the image does; copy or download it again.")
