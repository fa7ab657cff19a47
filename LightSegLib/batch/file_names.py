"""What a file's name tells: whether it is an image or a reference, and which case it belongs to."""

import re
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from LightSegLib.bundles import InputChannel
from LightSegLib.pipeline.channels import likely_channel

__all__ = ["IMAGE_ENDINGS", "case_name", "file_stem", "is_image", "is_mask", "is_reference"]

IMAGE_ENDINGS = (".nii.gz", ".seg.nrrd", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
"""Of files that are read; longer ones first."""
MASK_WORD = re.compile(
    r"ref|reference|gt|groundtruth|truth|manual|expert|consensus|annotations?|segs|segmentations?|labelmaps?|"
    r".*(mask|label)s?|.*seg"
)
"""Words of names of references, and of other masks."""
BRAIN_WORD = re.compile(r"brain.*|skull.*|bet")
BIDS_CASE = re.compile(r"sub-[^\W_]+(_ses-[^\W_]+)?", re.IGNORECASE)
WORD = re.compile(r"[^\W_]+")
SEPARATORS = " ._-"


def is_image(path: Path) -> bool:
    """Return whether a file's ending is one of an image."""
    return path.name.lower().endswith(IMAGE_ENDINGS)


def file_stem(path: Path) -> str:
    """Return the name of an image file without its ending; `.seg.nrrd` leaves `.seg`, which tells a segmentation."""
    if path.name.lower().endswith(".seg.nrrd"):
        return path.name[: -len(".nrrd")]
    ending = next((ending for ending in IMAGE_ENDINGS if path.name.lower().endswith(ending)), "")
    return path.name[: len(path.name) - len(ending)]


def is_mask(name: str) -> bool:
    """Return whether a name is that of some mask: a reference, or the mask of a brain."""
    return any(MASK_WORD.fullmatch(word) for word in _words(name))


def is_reference(name: str) -> bool:
    """Return whether a name is that of a reference; masks of the brain, which are common, are none."""
    return is_mask(name) and not any(BRAIN_WORD.fullmatch(word) for word in _words(name))


def case_name(stem: str, inputs: Sequence[InputChannel]) -> str:
    """Return the part of a file's name that it shares with the other files of its case, "" if there is none.

    It is what stands before the words that tell the channel or reference, else what stands after: "p7" of "p7_t1_ce",
    "p7_mask" and "FLAIR-p7". In BIDS it is the subject and session.
    """
    bids = BIDS_CASE.match(stem)
    if bids:
        return bids.group()
    words = list(WORD.finditer(stem))
    telling = [word for word in words if MASK_WORD.fullmatch(word.group().casefold()) or _starts(word.group(), inputs)]
    if not telling:
        channel = likely_channel(_particular(inputs), stem)
        telling = [word for word in words if channel and likely_channel(_particular(inputs), word.group()) == channel]
    if not telling:
        return stem
    first = telling[0]
    before = stem[: first.start()].rstrip(SEPARATORS)
    if before:
        return before
    end = telling[-1].end()
    # "ce" alone tells nothing, but it turns the channel of "t1" into that of "t1_ce".
    for word in words:
        channel = likely_channel(inputs, stem[:end])
        if word.start() > end and channel and likely_channel(inputs, stem[: word.end()]) != channel:
            end = word.end()
    return stem[end:].strip(SEPARATORS)


def _starts(word: str, inputs: Sequence[InputChannel]) -> bool:
    """Return whether a word is a channel's name or fits a pattern from its beginning, not as "patient1" fits "*t1*"."""
    word = word.casefold()
    return any(
        word == channel.name.casefold() or fnmatch(word, pattern.casefold().lstrip("*"))
        for channel in inputs
        for pattern in channel.patterns
    )


def _particular(inputs: Sequence[InputChannel]) -> list[InputChannel]:
    """Leave out channels that any name fits."""
    return [channel for channel in inputs if "*" not in channel.patterns]


def _words(name: str) -> list[str]:
    return WORD.findall(name.casefold())
