"""The models by task, and what is said of each in a line; without any widget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from LightSegLib.bundles import Bundle, list_bundles

__all__ = ["TaskModels", "describe", "list_tasks", "measured_dice"]

MEGABYTE = 1e6


@dataclass(frozen=True, kw_only=True)
class TaskModels:
    """A task and the bundles that do it, the one with the highest measured Dice first."""

    name: str
    title: str
    bundles: tuple[Bundle, ...]


def list_tasks(bundles: Sequence[Bundle] | None = None) -> list[TaskModels]:
    """Group bundles (all that are installed, by default) by their task.

    A bundle that only finds the organ for others is left out: it is no answer to anything a user asks.
    """
    known = list_bundles() if bundles is None else list(bundles)
    finders = {str(bundle.preprocessing["box"]["model"]) for bundle in known if "box" in bundle.preprocessing}
    tasks: dict[str, list[Bundle]] = {}
    for bundle in known:
        if bundle.name not in finders:
            tasks.setdefault(str(bundle.metadata["task"]), []).append(bundle)
    return [
        TaskModels(name=name, title=name.partition(" on ")[0], bundles=tuple(sorted(found, key=_by_dice, reverse=True)))
        for name, found in sorted(tasks.items())
    ]


def describe(bundle: Bundle, *, seconds: float | None = None) -> str:
    """Return size, expected time, measured Dice and license of a bundle in one line.

    `seconds`: how long its last run took on this computer; None if there was none, which gives the figure of its card.
    """
    parts = [f"{_size_mb(bundle):.1f} MB"]
    usual = bundle.metadata["eval_metrics"].get("seconds_on_two_cores")
    if seconds is not None:
        parts.append(f"took {seconds:.0f} s here")
    elif usual is not None:
        parts.append(f"about {usual:.0f} s")
    dice = measured_dice(bundle)
    if dice:
        parts.append("Dice " + ", ".join(f"{value:.2f} {what}".strip() for what, value in dice.items()))
    parts.append(_license(bundle))
    return " \N{MIDDLE DOT} ".join(parts)


def measured_dice(bundle: Bundle) -> Mapping[str, float]:
    """Return the Dice coefficients on a bundle's card by the structure they are of, "" where there is but one."""
    metrics = bundle.metadata["eval_metrics"]
    how = next((key.partition("_mean_dice")[0] for key in metrics if "_mean_dice" in key), None)
    if how is None:
        return {}
    start = f"{how}_mean_dice"
    return {key[len(start) :].replace("_", " ").strip(): metrics[key] for key in metrics if key.startswith(start)}


def _by_dice(bundle: Bundle) -> float:
    return next(iter(measured_dice(bundle).values()), 0.0)


def _size_mb(bundle: Bundle) -> float:
    return sum((bundle.folder / name).stat().st_size for name in bundle.hashes) / MEGABYTE


def _license(bundle: Bundle) -> str:
    """Return the license's name out of "Copyright (c) owner, license (reason)"."""
    return str(bundle.metadata["copyright"]).partition(", ")[2].partition(" (")[0]
