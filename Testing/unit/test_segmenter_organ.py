"""A scan of any length: the organ is found first, its box is segmented, and the result has the scan's grid."""

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib import segmenter as segmenter_module
from LightSegLib.errors import BundleError, CancelledError, ChannelError, InputError
from LightSegLib.organ_box import find_box
from LightSegLib.pipeline import ensemble, finding
from LightSegLib.segmenter import Segmenter

from .ct_toys import AIR, FAT, LiverEngine, make_ct, make_finder_bundle, make_liver_bundle
from .pipeline_toys import all_orientations, make_brain_bundle


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    bundles = {bundle.name: bundle for bundle in (make_liver_bundle(), make_finder_bundle(), make_brain_bundle())}
    seen: dict[str, list[int]] = {}

    class Engine(LiverEngine):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.of = name

        def predict(self, batch: np.ndarray) -> np.ndarray:
            seen.setdefault(self.of, []).append(len(batch))
            return super().predict(batch)

    for module in (ensemble, finding):
        monkeypatch.setattr(module, "load_bundle", lambda name: bundles[str(name)])
    monkeypatch.setattr(segmenter_module, "create_engine", lambda bundle, **options: Engine(bundle.name))
    return seen


def test_the_liver_is_found_and_segmented_on_the_grid_of_the_scan() -> None:
    image, mask = make_ct()
    result = Segmenter("toy-liver").segment({"CT": image}, reference=mask, probabilities=True)
    assert result.agreement is not None and result.agreement.dice > 0.97
    assert result.labelmap.GetSize() == image.GetSize() and result.labelmap.GetOrigin() == image.GetOrigin()
    assert result.probabilities is not None and result.probabilities.GetSize() == image.GetSize()
    assert result.provenance["brain"] is None and result.provenance["finder_model"]["name"] == "toy-finder"
    box = result.provenance["box"]
    assert box["size"][2] < image.GetSize()[2] / 2
    z = np.flatnonzero(sitk.GetArrayViewFromImage(mask).any(axis=(1, 2)))
    assert box["index"][2] <= z[0] - 3 and box["index"][2] + box["size"][2] >= z[-1] + 4


def test_every_orientation_gives_the_same_liver() -> None:
    image, mask = make_ct(size=(40, 36, 50), spacing=(4.5, 4.8, 6.0))
    for stored, truth in list(zip(all_orientations(image), all_orientations(mask), strict=True))[::5]:
        result = Segmenter("toy-liver").segment({"CT": stored}, reference=truth)
        assert result.agreement is not None and result.agreement.dice > 0.95
        assert result.labelmap.GetDirection() == stored.GetDirection()


def test_a_longer_scan_costs_the_finder_more_and_the_model_nothing(toys) -> None:
    segmenter = Segmenter("toy-liver")
    cost = {}
    for slices in (80, 160):
        toys.clear()
        segmenter.segment({"CT": make_ct(size=(60, 50, slices))[0]})
        cost[slices] = {name: sum(batches) for name, batches in toys.items()}
    assert cost[160]["toy-finder"] == 2 * cost[80]["toy-finder"]
    assert cost[160]["toy-liver"] == cost[80]["toy-liver"]


def test_a_scan_without_a_liver_is_an_error_that_names_it(tmp_path) -> None:
    image, mask = make_ct()
    without = sitk.Mask(image, mask == 0, FAT)
    path = tmp_path / "thorax.nii.gz"
    sitk.WriteImage(without, str(path))
    with pytest.raises(InputError, match=r"No liver was found in .*thorax\.nii\.gz \(best guess: 0 ml\)"):
        Segmenter("toy-liver").segment({"CT": path})


def test_what_the_finder_alone_takes_for_a_liver_is_an_error_and_no_empty_mask(monkeypatch) -> None:
    create = segmenter_module.create_engine
    monkeypatch.setattr(
        segmenter_module,
        "create_engine",
        lambda bundle, **options: FlatEngine() if bundle.name == "toy-liver" else create(bundle, **options),
    )
    with pytest.raises(InputError, match=r"No liver was found in input CT \(best guess: 0 ml\)"):
        Segmenter("toy-liver").segment({"CT": make_ct()[0]})


def test_cancel_is_heard_while_the_liver_is_sought(toys) -> None:
    messages: list[str] = []
    with pytest.raises(CancelledError):
        Segmenter("toy-liver").segment(
            {"CT": make_ct()[0]},
            progress=lambda fraction, message: messages.append(message),
            cancel=lambda: messages.count("Finding the liver") > 1,
        )
    assert list(toys) == ["toy-finder"] and messages[-1] == "Finding the liver"


def test_an_mr_image_is_refused() -> None:
    image, _ = make_ct()
    with pytest.raises(ChannelError, match="looks like an MR image"):
        Segmenter("toy-liver").segment({"CT": (image - AIR) * 0.3})


def test_a_slab_may_hold_less_of_the_organ() -> None:
    image, mask = make_ct()
    slab = Segmenter("toy-liver").segment({"CT": image[:, :, 30:33]}, reference=mask[:, :, 30:33])
    assert slab.agreement is not None and slab.agreement.dice > 0.95


def test_the_box_has_its_margin_and_its_least_width_but_stays_in_the_image() -> None:
    image = sitk.Image((100, 100, 100), sitk.sitkInt16)
    probability = np.zeros((25, 25, 25), np.float32)
    probability[10:20, 10:20, 5:15] = 1
    coarse = sitk.GetImageFromArray(probability)
    coarse.SetSpacing((4.0, 4.0, 4.0))
    coarse.SetOrigin((1.5, 1.5, 1.5))
    box = find_box(image, coarse, margin_mm=(5, 5, 10), least_mm=(60, 20), organ="liver")
    assert box.index == (10, 35, 30) and box.size == (60, 50, 60)
    wide = find_box(image, coarse, margin_mm=(90, 90, 90), least_mm=(0, 0), organ="liver")
    assert wide.index == (0, 0, 0) and wide.size == (100, 100, 100)


def test_a_finder_that_gives_no_box_is_refused(monkeypatch) -> None:
    bundle = make_liver_bundle()
    wrong = {**bundle.preprocessing, "box": {"model": "toy-brain", "margin_mm": [15.0] * 3}}
    segmenter = Segmenter(make_liver_bundle(preprocessing=wrong))
    segmenter._create = lambda of: FlatEngine()
    with pytest.raises(BundleError, match="toy-brain cannot find a box for model toy-liver"):
        segmenter.segment({"CT": make_ct()[0]})


class FlatEngine(LiverEngine):
    def predict(self, batch: np.ndarray) -> np.ndarray:
        return np.full((len(batch), 1, *batch.shape[2:]), -9, np.float32)
