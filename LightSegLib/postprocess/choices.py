"""What a user may change of a bundle's postprocessing: the strategy, and the numbers that it takes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from LightSegLib.bundles import Bundle
from LightSegLib.errors import InputError

__all__ = ["SHIPPED", "STRATEGIES", "Choice", "Number", "changes", "choose", "numbers", "strategies"]

SHIPPED = "shipped"
STRATEGIES = (SHIPPED, "nested", "argmax", "largest_component", "morphological", "none")
"""Every strategy; which of them a bundle allows depends on its kind of postprocessing."""

OF_KIND = {
    "nested_tumor": (SHIPPED, "nested", "argmax"),
    "organ": (SHIPPED, "largest_component", "morphological", "none"),
}
THRESHOLD_RANGE = (0.01, 0.99)
SMALLEST_RANGE_ML = (0.0, 10.0)
"""Beyond it, cubic millimeters were probably meant."""
SMALLEST = {"min_lesion_ml": "smallest lesion", "min_enhancing_ml": "smallest enhancing part"}
"""What `min_lesion_ml` sets in a bundle's settings, and what that is called."""
PAPER_ERODE_VOXELS, PAPER_DILATE_VOXELS = 2, 1
"""Of the network's grid, for organs that ship no erosion. Source: PocketNet paper, section II-B4."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a user wants of the postprocessing; by default, what the bundle ships.

    `strategy` is one of STRATEGIES. `threshold`: the least probability of what is labeled, 0..1, one number for every
    class, or numbers by region where there are several ("WT", "TC", "ET"). `min_lesion_ml`: the smallest lesion or,
    of a tumor, the smallest enhancing part, in ml.
    """

    strategy: str = SHIPPED
    threshold: float | Mapping[str, float] | None = None
    min_lesion_ml: float | None = None


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number in a bundle's settings that a user may change.

    `option` is the field of `Choice` that sets it, `region` the region that it is for, "" where there is one class.
    """

    option: str
    region: str
    title: str
    value: float
    lowest: float
    highest: float


def strategies(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the strategies that postprocessing settings allow, beginning with SHIPPED."""
    return OF_KIND.get(str(settings.get("kind")), (SHIPPED,))


def numbers(settings: Mapping[str, Any], strategy: str = SHIPPED) -> tuple[Number, ...]:
    """Return the numbers that apply when postprocessing settings are used with a strategy; `value` is theirs."""
    if strategy == "argmax":
        return ()
    thresholds = {"": settings["threshold"]} if "threshold" in settings else settings.get("thresholds", {})
    low, high = THRESHOLD_RANGE
    found = [
        Number(
            option="threshold",
            region=region,
            title=f"threshold of {region}" if region else "threshold",
            value=float(value),
            lowest=low,
            highest=high,
        )
        for region, value in thresholds.items()
    ]
    low, high = SMALLEST_RANGE_ML
    found += [
        Number(option="min_lesion_ml", region="", title=title, value=float(settings[key]), lowest=low, highest=high)
        for key, title in SMALLEST.items()
        if key in settings
    ]
    return tuple(found)


def choose(bundle: Bundle, choice: Choice) -> dict[str, Any]:
    """Return the bundle's postprocessing settings, changed as the user wants.

    Raises InputError, which says what is allowed, for a strategy or number that the bundle has no use for, and for
    a number out of range.
    """
    if choice == Choice():
        return dict(bundle.postprocessing)
    settings = _with_strategy(bundle, choice.strategy)
    known = {(number.option, number.region): number for number in numbers(settings)}
    for (option, region), asked in _asked(choice, list(known)).items():
        number = known.get((option, region))
        if number is None:
            what = f"{option} of {region}" if region else option
            takes = ", ".join(one.title for one in known.values()) or "no numbers"
            raise InputError(
                f"Model {bundle.name} with postprocessing '{choice.strategy}' has no use for {what}: it takes {takes}."
            )
        value = _in_range(asked, number)
        if region:
            settings["thresholds"] = {**settings["thresholds"], region: value}
        else:
            key = option if option == "threshold" else next(key for key in SMALLEST if key in settings)
            settings[key] = value
    return settings


def changes(shipped: Mapping[str, Any], chosen: Mapping[str, Any]) -> tuple[str, ...]:
    """Return in words what differs between a bundle's settings and those used, one text for each; often none."""
    if chosen == shipped:
        return ()
    if chosen["kind"] != shipped["kind"]:
        return ("argmax instead of nested thresholds",)
    told = []
    for now, before in zip(numbers(chosen), numbers(shipped), strict=True):
        if now.value != before.value:
            unit = " ml" if now.option == "min_lesion_ml" else ""
            told.append(f"{now.title} {now.value:g}{unit} instead of {before.value:g}{unit}")
    if any(chosen.get(key) != shipped.get(key) for key in ("cleanup", "erode_mm", "dilate_mm")):
        by = f" (erosion {chosen['erode_mm']:g} mm, dilation {chosen['dilate_mm']:g} mm)"
        morphological = chosen["cleanup"] == "morphological"
        told.append(f"clean-up {chosen['cleanup']}{by if morphological else ''} instead of {shipped['cleanup']}")
    return tuple(told)


def _with_strategy(bundle: Bundle, strategy: str) -> dict[str, Any]:
    settings, allowed = dict(bundle.postprocessing), strategies(bundle.postprocessing)
    if strategy not in allowed:
        raise InputError(
            f"Postprocessing '{strategy}' does not fit model {bundle.name}: choose {' or '.join(allowed)}."
        )
    if strategy == "argmax":
        return {"kind": "argmax_tumor"}
    if settings["kind"] == "organ" and strategy != SHIPPED:
        settings["cleanup"] = strategy
        if strategy == "morphological" and settings["erode_mm"] == 0:
            voxel_mm = float(bundle.preprocessing["spacing_mm"])
            settings["erode_mm"] = PAPER_ERODE_VOXELS * voxel_mm
            settings["dilate_mm"] = PAPER_DILATE_VOXELS * voxel_mm
    return settings


def _asked(choice: Choice, known: Sequence[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """Return the numbers that a choice gives, by option and region; one threshold stands for that of each class."""
    asked: dict[tuple[str, str], float] = {}
    if isinstance(choice.threshold, Mapping):
        asked |= {("threshold", region): value for region, value in choice.threshold.items()}
    elif choice.threshold is not None:
        classes = [key for key in known if key[0] == "threshold"] or [("threshold", "")]
        asked |= dict.fromkeys(classes, choice.threshold)
    if choice.min_lesion_ml is not None:
        asked["min_lesion_ml", ""] = choice.min_lesion_ml
    return asked


def _in_range(asked: float, number: Number) -> float:
    try:
        value = float(asked)
    except (TypeError, ValueError):
        value = math.nan
    if not number.lowest <= value <= number.highest:
        raise InputError(
            f"The {number.title} must be a number from {number.lowest:g} to {number.highest:g}"
            f"{' ml' if number.option == 'min_lesion_ml' else ''}, got {asked!r}."
        )
    return value
