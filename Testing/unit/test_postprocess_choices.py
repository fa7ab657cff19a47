"""What a user may change of a bundle's postprocessing, and what the change does and says."""

import math

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib import postprocess
from LightSegLib.bundles import Bundle, list_bundles
from LightSegLib.errors import InputError
from LightSegLib.postprocess.choices import STRATEGIES, Choice, changes, choose, numbers, strategies

from .ct_toys import make_liver_bundle
from .pipeline_toys import make_brain_bundle, make_bundle, make_tumor_bundle

LESIONS, TUMOR, ORGAN, BRAIN = make_bundle("toy"), make_tumor_bundle(), make_liver_bundle(), make_brain_bundle()


def told(bundle: Bundle, choice: Choice) -> tuple[str, ...]:
    return changes(bundle.postprocessing, choose(bundle, choice))


@pytest.mark.parametrize(
    ("bundle", "allowed"),
    [
        (LESIONS, ("shipped",)),
        (BRAIN, ("shipped",)),
        (TUMOR, ("shipped", "nested", "argmax")),
        (ORGAN, ("shipped", "largest_component", "morphological", "none")),
    ],
    ids=lambda value: value.name if isinstance(value, Bundle) else "",
)
def test_each_kind_allows_its_strategies_and_no_other(bundle: Bundle, allowed: tuple[str, ...]) -> None:
    assert strategies(bundle.postprocessing) == allowed
    for strategy in STRATEGIES:
        if strategy in allowed:
            choose(bundle, Choice(strategy=strategy))
        else:
            with pytest.raises(InputError, match=f"'{strategy}' does not fit model {bundle.name}: choose shipped"):
                choose(bundle, Choice(strategy=strategy))


@pytest.mark.parametrize("bundle", [LESIONS, TUMOR, ORGAN, BRAIN], ids=lambda bundle: bundle.name)
def test_what_is_shipped_changes_nothing(bundle: Bundle) -> None:
    assert choose(bundle, Choice()) == bundle.postprocessing
    assert told(bundle, Choice()) == ()


def test_the_numbers_of_each_kind_have_the_shipped_values() -> None:
    def found(bundle: Bundle, strategy: str = "shipped") -> list[tuple[str, str, float]]:
        return [(one.option, one.region, one.value) for one in numbers(bundle.postprocessing, strategy)]

    assert found(LESIONS) == [("threshold", "", 0.5), ("min_lesion_ml", "", 0.01)]
    assert found(ORGAN, "none") == [("threshold", "", 0.5)]
    regions = [("threshold", region, 0.5) for region in ("WT", "TC", "ET")]
    assert found(TUMOR, "nested") == [*regions, ("min_lesion_ml", "", 0.1)]
    assert found(TUMOR, "argmax") == []


def test_every_shipped_value_is_in_its_range() -> None:
    bundles = list_bundles()
    assert bundles
    for bundle in bundles:
        for number in numbers(bundle.postprocessing):
            assert number.lowest <= number.value <= number.highest, (bundle.name, number.title)


def test_numbers_replace_the_shipped_ones_and_it_is_said() -> None:
    choice = Choice(threshold=0.4, min_lesion_ml=0.2)
    assert choose(LESIONS, choice) == {"kind": "lesions", "threshold": 0.4, "min_lesion_ml": 0.2}
    assert told(LESIONS, choice) == ("threshold 0.4 instead of 0.5", "smallest lesion 0.2 ml instead of 0.01 ml")
    assert LESIONS.postprocessing["threshold"] == 0.5


def test_a_threshold_is_for_one_region_or_for_all() -> None:
    one = choose(TUMOR, Choice(threshold={"WT": 0.3}))
    assert one["thresholds"] == {"WT": 0.3, "TC": 0.5, "ET": 0.5}
    assert told(TUMOR, Choice(threshold={"WT": 0.3})) == ("threshold of WT 0.3 instead of 0.5",)
    assert choose(TUMOR, Choice(threshold=0.3))["thresholds"] == {"WT": 0.3, "TC": 0.3, "ET": 0.3}
    assert TUMOR.postprocessing["thresholds"]["WT"] == 0.5


def test_the_smallest_part_of_a_tumor_is_of_the_enhancing_one() -> None:
    assert choose(TUMOR, Choice(min_lesion_ml=0.7))["min_enhancing_ml"] == 0.7
    assert told(TUMOR, Choice(min_lesion_ml=0.7)) == ("smallest enhancing part 0.7 ml instead of 0.1 ml",)


@pytest.mark.parametrize(
    ("bundle", "choice", "message"),
    [
        (LESIONS, Choice(threshold=0.0), r"threshold must be a number from 0\.01 to 0\.99, got 0\.0"),
        (LESIONS, Choice(threshold=math.nan), "got nan"),
        (LESIONS, Choice(threshold="high"), "got 'high'"),  # type: ignore[arg-type]
        (LESIONS, Choice(min_lesion_ml=20), "smallest lesion must be a number from 0 to 10 ml, got 20"),
        (TUMOR, Choice(threshold={"ET": 1.5}), "threshold of ET must be"),
        (
            TUMOR,
            Choice(threshold={"core": 0.4}),
            "no use for threshold of core: it takes threshold of WT, threshold of",
        ),
        (TUMOR, Choice(strategy="argmax", threshold=0.4), "'argmax' has no use for threshold: it takes no numbers"),
        (ORGAN, Choice(min_lesion_ml=1), "toy-liver .* has no use for min_lesion_ml: it takes threshold"),
        (LESIONS, Choice(threshold={"WT": 0.4}), "no use for threshold of WT: it takes threshold, smallest lesion"),
    ],
)
def test_what_does_not_fit_is_refused_and_what_does_is_named(bundle: Bundle, choice: Choice, message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose(bundle, choice)


def test_without_shipped_sizes_the_morphological_clean_up_takes_the_papers_voxels_in_mm() -> None:
    settings = choose(ORGAN, Choice(strategy="morphological"))  # voxels of 2 mm
    assert (settings["erode_mm"], settings["dilate_mm"]) == (4.0, 2.0)
    assert told(ORGAN, Choice(strategy="morphological")) == (
        "clean-up morphological (erosion 4 mm, dilation 2 mm) instead of largest_component",
    )
    own = make_liver_bundle(postprocessing={**ORGAN.postprocessing, "erode_mm": 3.0, "dilate_mm": 3.0})
    settings = choose(own, Choice(strategy="morphological"))
    assert (settings["erode_mm"], settings["dilate_mm"]) == (3.0, 3.0)


def test_each_clean_up_does_what_its_name_says() -> None:
    """Two blocks, and a hair of 2 voxels' width on the larger one, that only erosion takes off."""
    values = np.zeros((40, 40, 40), np.float32)
    values[5:25, 5:25, 5:25] = values[30:36, 30:36, 30:36] = values[14:16, 14:16, 25:38] = 1
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((2.0, 2.0, 2.0))
    found = {}
    for strategy in strategies(ORGAN.postprocessing):
        labels = postprocess.apply(choose(ORGAN, Choice(strategy=strategy)), [image])
        found[strategy] = sitk.GetArrayFromImage(labels)
    small, hair = (slice(30, 36),) * 3, (slice(14, 16), slice(14, 16), slice(28, 38))
    assert {name: (bool(one[small].any()), bool(one[hair].any())) for name, one in found.items()} == {
        "shipped": (False, True),
        "largest_component": (False, True),
        "morphological": (False, False),
        "none": (True, True),
    }


def test_argmax_and_nested_differ_where_thresholds_matter() -> None:
    """Whole tumor of .6, core of .28: core above its threshold, but background (.4) is the most probable label."""
    maps = [sitk.Image(8, 8, 8, sitk.sitkFloat32) + value for value in (0.6, 0.28, 0.0)]
    settings = {**TUMOR.postprocessing, "min_whole_tumor_ml": 0.0}
    bundle = make_tumor_bundle(postprocessing=settings)
    nested = postprocess.apply(choose(bundle, Choice(strategy="nested", threshold={"TC": 0.25})), maps)
    argmax = postprocess.apply(choose(bundle, Choice(strategy="argmax")), maps)
    assert set(np.unique(sitk.GetArrayViewFromImage(nested))) == {1}
    assert set(np.unique(sitk.GetArrayViewFromImage(argmax))) == {0}
    assert told(bundle, Choice(strategy="argmax")) == ("argmax instead of nested thresholds",)
