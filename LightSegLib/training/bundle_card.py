"""The written half of a bundle's metadata: one TOML file per bundle in `bundle_cards/`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from LightSegLib.errors import MissingDependencyError, RecipeError
from LightSegLib.preprocess import build_preprocessor

__all__ = ["card_names", "card_preprocessor", "read_card"]

Kind = TypeVar("Kind")

_FOLDER = Path(__file__).parent / "bundle_cards"


def card_names() -> list[str]:
    """Return the names of the bundles that have a card, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def read_card(name: str, *, network: Mapping[str, Any] | None = None, path: Path | None = None) -> dict[str, Any]:
    """Return the metadata of bundle `name` for `export_bundle`, with the network it was trained with.

    `network` is {"name": ..., "arguments": {...}}, as in the recipe; without it the card alone is returned. `path`
    reads another card than ours.
    Errors: RecipeError if the card is unknown (lists the known ones) or malformed.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError as error:
            raise MissingDependencyError("Bundle cards need tomli: run `pip install lightseg[train]`") from error

    card_path = _FOLDER / f"{name}.toml" if path is None else path
    try:
        metadata = tomllib.loads(card_path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RecipeError(f"No bundle card '{name}' ({card_path}); known cards: {', '.join(card_names())}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"Bundle card {card_path} is malformed ({error}): correct it") from error
    if network is not None:
        metadata.setdefault("lightseg", {})["network"] = {
            "name": network["name"],
            "arguments": dict(network["arguments"]),
        }
    return metadata


def card_preprocessor(name: str, kind: type[Kind], *, needed: str) -> Kind:
    """Return the preprocessor that a card describes, which training and inference share.

    Errors: RecipeError if it is of another `kind`; `needed` says in the message what should have been prepared.
    """
    section = read_card(name)["lightseg"]
    preprocessor = build_preprocessor(section["preprocessing"], [channel["name"] for channel in section["inputs"]])
    if not isinstance(preprocessor, kind):
        raise RecipeError(f"card {name!r} does not prepare {needed}")
    return preprocessor
