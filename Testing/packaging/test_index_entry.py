"""What the Extensions Index and the Extensions Manager read: the entry, and the metadata in CMakeLists.txt."""

import json
import re
import struct
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

# The rules of version 1.0.2, written down anew; they are published at
# https://github.com/Slicer/Slicer/blob/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.2.json
TEXT = {"type": "string", "minLength": 1}
ENTRY_SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "$schema": {"type": "string", "pattern": r"/slicer-extension-catalog-entry-schema-v1\.0\.2\.json#$"},
        "category": TEXT,
        "scm_url": TEXT,
        "scm_revision": TEXT,
        "scm_type": {"enum": ["git", "local"]},
        "build_dependencies": {"type": "array", "items": TEXT},
        "build_subdirectory": TEXT,
        "dicom_support_rule": TEXT,
        "enabled": {"type": "boolean"},
        "tier": {"type": "integer", "minimum": 1, "maximum": 5},
    },
    "required": ["$schema", "category", "scm_url"],
    "additionalProperties": False,
}
RAW_FILES = "https://raw.githubusercontent.com/LightSeg/SlicerLightSeg/main/"
ICON_SIZE = (128, 128)


@pytest.fixture(scope="module")
def entry(repository: Path) -> dict[str, Any]:
    return dict(json.loads((repository / "LightSeg.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def cmake(repository: Path) -> str:
    return (repository / "CMakeLists.txt").read_text(encoding="utf-8")


def metadata(cmake: str, key: str) -> str:
    """The quoted, one-line value of an EXTENSION_ variable: the Index reads no other form, nor a list."""
    match = re.search(rf'^set\(EXTENSION_{key} "([^"\n;]+)"\)$', cmake, re.MULTILINE)
    assert match, f"EXTENSION_{key} is missing or not one quoted line without semicolon"
    return match.group(1)


def png_size(path: Path) -> tuple[int, int]:
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n"), f"{path} is no PNG"
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def test_the_entry_keeps_the_rules_of_the_published_schema(entry: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(entry, ENTRY_SCHEMA)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tier": 6}, "greater than the maximum"),
        ({"tier": "1"}, "not of type 'integer'"),
        ({"build_dependencies": "NA"}, "not of type 'array'"),
        ({"homepage": "https://example.org"}, "'homepage' was unexpected"),
        ({"category": ""}, "non-empty|too short"),
    ],
)
def test_an_entry_that_breaks_a_rule_is_noticed(entry: dict[str, Any], wrong: dict[str, Any], message: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    with pytest.raises(jsonschema.ValidationError, match=message):
        jsonschema.validate({**entry, **wrong}, ENTRY_SCHEMA)


def test_the_entry_agrees_with_the_build(entry: dict[str, Any], cmake: str, repository: Path) -> None:
    depends = metadata(cmake, "DEPENDS")
    assert entry["build_dependencies"] == ([] if depends == "NA" else depends.split())
    assert entry["category"] == metadata(cmake, "CATEGORY")
    assert entry["scm_url"] == metadata(cmake, "HOMEPAGE") + ".git"
    assert entry["build_subdirectory"] == ".", "there is no superbuild"


def test_the_entry_passes_the_checks_of_the_index(entry: dict[str, Any], cmake: str, repository: Path) -> None:
    """Those of scripts/check_description_files.py in https://github.com/Slicer/ExtensionsIndex, without the network."""
    assert re.findall(r"project\s*\(\s*([^\s)]+)", cmake, re.IGNORECASE)[0] == "LightSeg", "the entry's file name"
    url = urlsplit(entry["scm_url"])
    assert url.scheme in ("https", "git") and "slicer" in Path(url.path).stem.lower()
    assert entry["category"] == "Segmentation", "one of those that the Index knows"
    assert (repository / "LICENSE.txt").is_file()


def test_the_extension_describes_what_it_segments_in_one_line(cmake: str) -> None:
    description = metadata(cmake, "DESCRIPTION")
    assert all(word in description for word in ("white matter hyperintensities", "brain tumors", "liver"))
    for key in ("CONTRIBUTORS", "KEYWORDS"):
        assert metadata(cmake, key)


def test_icon_and_screenshots_are_pictures_at_their_addresses(cmake: str, repository: Path) -> None:
    icon, *screenshots = [metadata(cmake, "ICONURL"), *metadata(cmake, "SCREENSHOTURLS").split()]
    assert screenshots and all(address.startswith(RAW_FILES) for address in (icon, *screenshots))
    assert png_size(repository / icon.removeprefix(RAW_FILES)) == ICON_SIZE
    for address in screenshots:
        assert min(png_size(repository / address.removeprefix(RAW_FILES))) > 100
