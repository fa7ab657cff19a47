"""Bundles load when they are whole, and say what is wrong when they are not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from LightSegLib.bundles import bundle_names, list_bundles, load_bundle
from LightSegLib.errors import BundleError
from LightSegLib.segments import Region


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change metadata.json of the bundle in `folder`."""
    path = folder / "metadata.json"
    metadata = json.loads(path.read_text(encoding="utf-8"))
    change(metadata)
    path.write_text(json.dumps(metadata), encoding="utf-8")


def test_a_bundle_loads_by_name_and_by_folder(models: Path) -> None:
    by_name = load_bundle("wmh-acu", root=models)
    assert by_name == load_bundle(models / "wmh-acu") == load_bundle(str(models / "wmh-acu"))
    assert by_name.network_name == "acu"
    assert [(channel.name, channel.required) for channel in by_name.inputs] == [("FLAIR", True), ("T1", False)]
    (segment,) = by_name.segments
    assert segment.name == "White matter hyperintensity"
    assert str(segment.terminology.type) == "SCT^52988006^Lesion"


def test_bundles_are_listed_by_name(models: Path) -> None:
    (models / "not-a-bundle").mkdir()
    assert bundle_names(models) == ["brain-pocket", "wmh-acu"]
    assert [bundle.name for bundle in list_bundles(models)] == ["brain-pocket", "wmh-acu"]


def test_an_unknown_name_lists_the_known_ones(models: Path) -> None:
    with pytest.raises(BundleError, match="Unknown model 'wmh'; known models: brain-pocket, wmh-acu"):
        load_bundle("wmh", root=models)


def test_a_name_cannot_reach_outside_the_models(models: Path) -> None:
    with pytest.raises(BundleError, match="Unknown model '..'"):
        load_bundle("..", root=models / "wmh-acu")


def test_an_empty_folder_of_models_is_told(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="known models: none is installed"):
        load_bundle("wmh-acu", root=tmp_path)


def test_no_input_need_be_required(models: Path) -> None:
    rewrite(models / "wmh-acu", lambda metadata: metadata["lightseg"]["inputs"][0].update(required=False))
    assert [channel.required for channel in load_bundle("wmh-acu", root=models).inputs] == [False, False]


def test_regions_reference_values_and_the_input_to_show_are_read(models: Path) -> None:
    bundle = load_bundle("wmh-acu", root=models)
    assert (bundle.regions, bundle.reference_values, bundle.shown_input) == ((), (), "FLAIR")
    settings = {"regions": {"All": [1]}, "reference_values": [[1], [255]], "shown_input": "T1"}
    rewrite(models / "wmh-acu", lambda metadata: metadata["lightseg"].update(settings))
    bundle = load_bundle("wmh-acu", root=models)
    assert bundle.regions == (Region("All", (1,)),)
    assert bundle.reference_values == ((1,), (255,))
    assert bundle.shown_input == "T1"


def test_a_missing_folder_of_models_is_told(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"model folder .*absent does not exist"):
        bundle_names(tmp_path / "absent")


def test_a_folder_without_metadata_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not a model bundle, it has no metadata.json"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("name", ["model.bin", "model.xml", "model.safetensors", "README.md"])
def test_an_altered_file_is_named(models: Path, name: str) -> None:
    path = models / "wmh-acu" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=rf"{name} of model wmh-acu was altered .*reinstall LightSeg"):
        load_bundle("wmh-acu", root=models)


def test_a_missing_file_is_named(models: Path) -> None:
    (models / "wmh-acu" / "model.bin").unlink()
    with pytest.raises(BundleError, match=r"model\.bin of model wmh-acu is missing: reinstall LightSeg"):
        load_bundle("wmh-acu", root=models)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not valid JSON"),
        ("[]", "must hold one JSON object, got list"),
        ("{}", "lacks 'lightseg'"),
        ('{"lightseg": 3}', "'lightseg' must be an object, got 3"),
    ],
)
def test_malformed_metadata_are_told(models: Path, text: str, message: str) -> None:
    (models / "wmh-acu" / "metadata.json").write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle("wmh-acu", root=models)
    assert "metadata.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_metadata_that_are_no_text_are_told(models: Path) -> None:
    (models / "wmh-acu" / "metadata.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BundleError, match="is not valid JSON"):
        load_bundle("wmh-acu", root=models)


@pytest.mark.parametrize(("version", "remedy"), [(2, "update LightSeg"), (0, "export the bundle again")])
def test_another_format_version_names_the_remedy(models: Path, version: int, remedy: str) -> None:
    rewrite(models / "wmh-acu", lambda metadata: metadata["lightseg"].update(format=version))
    with pytest.raises(BundleError, match=f"has format {version}, this LightSeg reads format 1: {remedy}"):
        load_bundle("wmh-acu", root=models)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.pop("version"), "lacks 'version'"),
        (lambda m: m["lightseg"]["network"].pop("name"), "section lightseg, network lacks 'name'"),
        (lambda m: m["lightseg"]["inputs"][1].update(name="FLAIR"), r"names an input twice \(FLAIR, FLAIR\)"),
        (lambda m: m["lightseg"]["inputs"][0].update(required="yes"), "input 1: 'required' must be true or false"),
        (lambda m: m["lightseg"].update(inputs=[]), "has no input"),
        (lambda m: m["lightseg"].update(inputs=["FLAIR"]), "input 1 must be an object, got 'FLAIR'"),
        (lambda m: m["lightseg"]["labels"][0].update(value=True), "label 1: 'value' must be a whole number, got True"),
        (lambda m: m["lightseg"]["labels"][0].update(value=0), "label 1: .*value 0"),
        (lambda m: m["lightseg"]["labels"][0].update(color=[1, 2]), "'color' must be three whole numbers"),
        (lambda m: m["lightseg"]["labels"][0].update(color=[1, 2, 300]), "label 1: .*color"),
        (lambda m: m["lightseg"].update(labels=[]), "labels must have different values, got \\[\\]"),
        (lambda m: m["lightseg"]["labels"][0].pop("type"), "label 1 lacks 'type'"),
        (lambda m: m["lightseg"].update(regions={"WT": [1, 4]}), r"region 'WT' must be of labels \[1\], got \[1, 4\]"),
        (lambda m: m["lightseg"].update(regions={"WT": []}), "region 'WT' must be of labels"),
        (
            lambda m: m["lightseg"].update(regions={"White matter hyperintensity": [1]}),
            "'White matter hyperintensity' is both a label and a region",
        ),
        (lambda m: m["lightseg"].update(reference_values=[[1, 2]]), "'reference_values' must be lists of 1 different"),
        (lambda m: m["lightseg"].update(shown_input="T2"), "'shown_input' is 'T2', which is no input"),
        (lambda m: m["lightseg"]["files"].pop("model.xml"), "lists no hash of model.xml"),
        (lambda m: m["lightseg"]["files"].update({"../key": "0"}), "'../key', which is not a plain file name"),
    ],
)
def test_wrong_metadata_name_the_field(models: Path, change: Callable[[dict[str, Any]], object], message: str) -> None:
    rewrite(models / "wmh-acu", change)
    with pytest.raises(BundleError, match=message):
        load_bundle("wmh-acu", root=models)


def test_metadata_follow_the_schema(models: Path, repository: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="the schema is checked with jsonschema")
    schema = json.loads((repository / "Resources/Schemas/bundle.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    installed = repository / "Resources" / "Models"
    paths = [*models.glob("*/metadata.json"), *installed.glob("*/metadata.json")]
    for path in paths:
        problems = [error.message for error in validator.iter_errors(json.loads(path.read_text(encoding="utf-8")))]
        assert problems == [], path


def test_the_schema_refuses_an_unknown_setting(models: Path, repository: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="the schema is checked with jsonschema")
    schema = json.loads((repository / "Resources/Schemas/bundle.schema.json").read_text(encoding="utf-8"))
    metadata = json.loads((models / "wmh-acu" / "metadata.json").read_text(encoding="utf-8"))
    metadata["lightseg"]["preprocesing"] = {}
    with pytest.raises(jsonschema.ValidationError, match="preprocesing"):
        jsonschema.validate(metadata, schema)


def test_installed_bundles_are_whole_and_small(repository: Path) -> None:
    installed = list_bundles(repository / "Resources" / "Models")
    if not installed:
        pytest.skip("no bundle is in Resources/Models yet")
    for bundle in installed:
        assert bundle.name == bundle.folder.name
        assert bundle.size_bytes <= 4e6
        extra = {path.name for path in bundle.folder.iterdir()} - {"metadata.json", *bundle.hashes}
        assert extra == set(), f"{bundle.name} has files without a hash"
