"""Whether an image file is whole: the compressed stream ends properly and its checksum is right.

ITK reads a truncated .nii.gz without an error, as an image with missing parts, and writes one on a full disk just so.
"""

import zlib
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


def check_complete(path: Path, *, image_bytes: int) -> None:
    """Check that a file holds all of its image: `image_bytes` are the bytes of all voxels, uncompressed.

    Compressed NIfTI, NRRD and MHA are inflated in small steps, which takes about 0.1 s per 25 MB; nothing is kept.
    Raises InputError when the file is shorter than its header says, damaged, or much longer.
    """
    with path.open("rb") as file:
        if _seek_compressed(file):
            _check_stream(file, path, image_bytes)
        elif path.suffix.lower() == ".nii" and path.stat().st_size < image_bytes:
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


def _check_stream(file: BinaryIO, path: Path, image_bytes: int) -> None:
    inflated = 0
    stream = zlib.decompressobj(AUTOMATIC_FORMAT)
    try:
        while pending := stream.unconsumed_tail or file.read(READ_BYTES):
            inflated += len(stream.decompress(pending, INFLATE_BYTES))
            if inflated > image_bytes + MAX_SURPLUS_BYTES:
                raise InputError(f"{path} holds far more data than its header says; export the image again.")
            if stream.eof:
                rest = stream.unused_data or file.read(READ_BYTES)
                if not rest.strip(b"\0"):
                    break
                # gzip files may consist of several streams, one after the other.
                stream = zlib.decompressobj(AUTOMATIC_FORMAT)
                inflated += len(stream.decompress(rest, INFLATE_BYTES))
    except zlib.error:
        raise InputError(f"{path} is damaged: its compressed data cannot be read; copy or download it again.") from None
    if not stream.eof or inflated < image_bytes:
        raise _truncated(path)


def _truncated(path: Path) -> InputError:
    return InputError(f"{path} is truncated: it ends before the image does; copy or download it again.")
