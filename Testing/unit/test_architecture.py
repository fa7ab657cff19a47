"""The library's structure, read from its sources: which file may import what, and how large a file may be.

Nothing is imported here, so that these tests also hold for files whose packages are absent.
"""

import ast
import graphlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LIBRARY = "LightSegLib"

# Each part may import parts of its own row and of the rows above it. A new file needs a place here.
ROWS: tuple[frozenset[str], ...] = (
    frozenset({"errors"}),
    frozenset({"resources", "segments", "progress", "geometry", "job", "networks"}),
    frozenset(
        {"measures", "nifti_floats", "volumes", "integrity", "seg_nrrd", "writers", "outputs"}
        | {"dicom_series", "dicom_frames", "dicom_seg"}
    ),
    frozenset({"bundle_metadata", "bundles"}),
    frozenset({"preprocess", "postprocess"}),
    frozenset({"engines"}),
    frozenset({"brain", "organ_box"}),
    frozenset({"pipeline"}),
    frozenset({"segmenter", "remeasure", "attention"}),
    frozenset({"report", "report_pictures", "report_slices", "report_template", "doctor"}),
    frozenset({"batch"}),
    frozenset({"cli", "worker"}),
    frozenset({"__main__"}),
    frozenset({"training", "slicer_bridge"}),
)
# Parts that may only import these (and themselves), so that anyone can use them alone.
LEAVES = {"measures": {"errors", "geometry"}, "networks": {"errors"}}
# Nothing but these files imports training, and they do so when the command runs.
TRAINING_COMMANDS = frozenset({"LightSegLib/cli/train.py", "LightSegLib/cli/evaluate.py"})
# Parts that import torch at file scope; every other file imports these parts inside functions.
TORCH_PARTS = ("LightSegLib.networks", "LightSegLib.training", "LightSegLib.engines.pytorch", "LightSegLib.attention")
# Bundled with Slicer, or part of Python: what files that Slicer loads may import at file scope.
AT_FILE_SCOPE = frozenset({"numpy", "scipy", "SimpleITK", "PIL", "packaging", LIBRARY}) | sys.stdlib_module_names
INSIDE_SLICER = frozenset({"slicer", "qt", "ctk", "vtk", "LightSeg"})
LARGEST_FILE = 250
# Larger files, each with the reason.
LARGER_FILES: dict[str, str] = {}
VAGUE_NAMES = frozenset({"utils.py", "util.py", "helpers.py", "misc.py", "common.py"})


@dataclass(frozen=True)
class Import:
    """One import statement's target: its dotted name, its line, and whether it runs when the file is loaded."""

    target: str
    line: int
    at_file_scope: bool


def source_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def is_module(name: str) -> bool:
    path = REPOSITORY.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def imports_of(path: Path) -> list[Import]:
    package = path.relative_to(REPOSITORY).parent.parts

    def visit(node: ast.AST, at_file_scope: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, child.lineno, at_file_scope) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = package[: len(package) - child.level + 1] if child.level else ()
                source = ".".join([*base, *([child.module] if child.module else [])])
                # `from package import x` imports the module package.x where there is one, else the package itself
                names = [f"{source}.{alias.name}" for alias in child.names]
                targets = dict.fromkeys(name if is_module(name) else source for name in names)
                yield from (Import(target, child.lineno, at_file_scope) for target in targets)
            else:
                in_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
                yield from visit(child, at_file_scope and not in_function and not is_type_checking(child))

    return list(visit(ast.parse(path.read_text(encoding="utf-8")), True))


def part_of(path: Path) -> str:
    """The part a library file belongs to: its folder or file name right under the library."""
    return path.relative_to(REPOSITORY / LIBRARY).parts[0].removesuffix(".py")


def part_imported(target: str) -> str | None:
    names = target.split(".")
    return names[1] if names[0] == LIBRARY and len(names) > 1 else None


def library_files() -> list[Path]:
    """Every file of the library but its `__init__.py`, which hands out names of several parts on demand."""
    return [path for path in source_files(LIBRARY) if path != REPOSITORY / LIBRARY / "__init__.py"]


def violations(files: list[Path], is_wrong: Callable[[Path, Import], bool]) -> list[str]:
    return [f"{relative(f)}:{i.line} imports {i.target}" for f in files for i in imports_of(f) if is_wrong(f, i)]


def test_every_part_has_its_place_in_the_import_order() -> None:
    placed = frozenset().union(*ROWS)
    assert {part_of(path) for path in library_files()} <= placed


def test_no_part_imports_a_later_one() -> None:
    row_of = {part: number for number, row in enumerate(ROWS) for part in row}

    def is_reversed(path: Path, imported: Import) -> bool:
        part = part_imported(imported.target)
        if part is None or (part == "training" and relative(path) in TRAINING_COMMANDS and not imported.at_file_scope):
            return False
        return row_of.get(part, 0) > row_of.get(part_of(path), len(ROWS))

    assert violations(library_files(), is_reversed) == []


def test_training_and_the_slicer_bridge_do_not_import_each_other() -> None:
    apart = {"training": "slicer_bridge", "slicer_bridge": "training"}
    assert violations(library_files(), lambda f, i: part_imported(i.target) == apart.get(part_of(f), "")) == []


def test_leaves_import_almost_nothing_else() -> None:
    leaves = [path for path in library_files() if part_of(path) in LEAVES]
    own = {part: {part, None, *allowed} for part, allowed in LEAVES.items()}
    assert violations(leaves, lambda f, i: part_imported(i.target) not in own[part_of(f)]) == []


def test_no_file_imports_itself_through_others() -> None:
    files = {module_name(path): path for path in library_files()}
    graph = {path: {files.get(i.target) for i in imports_of(path)} - {None, path} for path in files.values()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail("import cycle: " + " <- ".join(relative(path) for path in error.args[1]))


def test_slicer_and_qt_are_imported_only_where_they_exist() -> None:
    files = [path for path in source_files(LIBRARY) if "slicer_bridge" not in path.parts]
    assert violations(files, lambda f, i: i.target.split(".")[0] in INSIDE_SLICER) == []


def test_torch_is_imported_only_by_networks_training_and_its_engine() -> None:
    files = [path for path in library_files() if not module_name(path).startswith(TORCH_PARTS)]
    assert violations(files, lambda f, i: i.target.split(".")[0] in {"torch", "safetensors"}) == []


def test_files_that_slicer_loads_import_at_file_scope_only_what_slicer_bundles() -> None:
    files = [p for p in source_files(LIBRARY, "LightSeg") if not module_name(p).startswith(TORCH_PARTS)]

    def is_absent_in_slicer(path: Path, imported: Import) -> bool:
        allowed = AT_FILE_SCOPE | (INSIDE_SLICER if {"slicer_bridge", "LightSeg"} & set(path.parts) else frozenset())
        is_absent = imported.target.split(".")[0] not in allowed or imported.target.startswith(TORCH_PARTS)
        return imported.at_file_scope and is_absent

    assert violations(files, is_absent_in_slicer) == []


def test_files_stay_small_or_say_why_not() -> None:
    files = source_files(LIBRARY, "LightSeg")
    lines = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {name: n for name, n in lines.items() if n > LARGEST_FILE and name not in LARGER_FILES} == {}
    assert [name for name in LARGER_FILES if lines.get(name, 0) <= LARGEST_FILE] == [], "no exception needed any more"


def test_file_names_say_what_the_file_does() -> None:
    assert [relative(path) for path in source_files(LIBRARY, "LightSeg") if path.name in VAGUE_NAMES] == []
