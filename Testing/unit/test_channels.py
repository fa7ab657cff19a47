"""Which channel a name suggests, with the patterns of the tumor models' card."""

import pytest

from LightSegLib.bundle_metadata import InputChannel, read_inputs
from LightSegLib.pipeline.channels import likely_channel
from LightSegLib.training.bundle_card import read_card


@pytest.fixture(scope="module")
def inputs() -> tuple[InputChannel, ...]:
    return read_inputs(read_card("tumor-pocket")["lightseg"], where="the card")


@pytest.mark.parametrize(
    ("channel", "names"),
    [
        ("T1", ["t1", "BraTS-GLI-00000-000-t1n.nii.gz", "Case 7 T1", "5: AX T1 SE", "sub-01_T1w", "MPRAGE"]),
        ("T1", ["t1_mprage", "slice_t1", "processed-T1.nii", "postop_t1", "t1_postop.nii.gz", "AX T1 FLAIR"]),
        ("T1", ["T1 without contrast", "t1 no contrast.nii"]),
        ("T1ce", ["t1ce", "BraTS20_001_t1ce.nii.gz", "BraTS-GLI-00000-000-t1c.nii.gz", "T1C", "case_t1_gd"]),
        ("T1ce", ["t1gd.nii.gz", "T1post", "t1_post.nii.gz", "AX T1 POST", "ce-t1", "sub-01_ce-gadolinium_T1w"]),
        ("T1ce", ["AX T1 +C", "T1 POST GAD"]),
        ("T1ce", ["MPRAGE post", "T1 with contrast", "t1-ce.nrrd", "T1_CE", "post T1", "T1w_Gd", "t1c"]),
        ("T2", ["t2", "BraTS-GLI-00000-000-t2w.nii.gz", "AX T2 FSE", "Case 7 T2"]),
        ("FLAIR", ["flair", "BraTS-GLI-00000-000-t2f.nii.gz", "T2 FLAIR", "t2_space_flair", "t2_tirm_dark-fluid"]),
        (None, ["Segmentation", "adc", "dwi_b1000.nii.gz"]),
    ],
)
def test_the_most_specific_pattern_wins(inputs, channel: str | None, names: list[str]) -> None:
    assert {name: likely_channel(inputs, name) for name in names} == dict.fromkeys(names, channel)


def test_characters_beside_wildcards_count() -> None:
    def channel(name: str, *patterns: str) -> InputChannel:
        return InputChannel(name=name, required=False, modality="MR", patterns=patterns)

    inputs = (channel("A", "*", "?????x*"), channel("B", "*ab*"), channel("C", "*[ab]b[cd]*"))
    assert likely_channel(inputs, "zzzz") == "A"
    assert likely_channel(inputs, "xab") == "B"
    assert likely_channel(inputs, "xabc") == "C"
    assert likely_channel(inputs[1:2], "zzzz") is None
