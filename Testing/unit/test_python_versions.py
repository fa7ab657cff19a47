"""Slicer 5.12 runs Python 3.12: nothing that it, or 3.13, removed may be used. The sources are parsed, not imported."""

import ast
import warnings
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
# What Slicer loads, and what it runs as tests.
FOLDERS = ("LightSeg", "LightSegLib", "Testing/installed")


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# From "Removed" in "What's New in Python" 3.12 and 3.13; pkg_resources came with setuptools, which new environments
# no longer have.
REMOVED_MODULES = words("""
    asynchat asyncore distutils imp pkg_resources smtpd
    aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap msilib nis nntplib ossaudiodev pipes sndhdr spwd sunau
    telnetlib uu xdrlib
""")
REMOVED_NAMES = words("""
    configparser.LegacyInterpolation configparser.SafeConfigParser importlib.abc.Finder importlib.find_loader
    importlib.util.module_for_loader importlib.util.set_loader importlib.util.set_package io.OpenWrapper
    locale.format locale.resetlocale pkgutil.ImpImporter pkgutil.ImpLoader re.template sqlite3.OptimizedUnicode
    sqlite3.enable_shared_cache ssl.RAND_pseudo_bytes ssl.match_hostname ssl.wrap_socket typing.io typing.re
    unittest.findTestCases unittest.getTestCaseNames unittest.makeSuite
""")
# Methods whose names say enough, whatever object they are called on.
REMOVED_METHODS = words("""
    assertAlmostEquals assertDictContainsSubset assertEquals assertNotAlmostEquals assertNotEquals
    assertNotRegexpMatches assertRaisesRegexp assertRegexpMatches assert_ failIf failIfAlmostEqual failIfEqual
    failUnless failUnlessAlmostEqual failUnlessEqual failUnlessRaises find_module module_repr readfp
""")


def imported(node: ast.AST) -> dict[str, str]:
    """What an import statement brings in from elsewhere: the name in full, by the name that it has in the file."""
    if isinstance(node, ast.Import):
        return {alias.asname or alias.name: alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return {}


def removed_uses(source: str) -> list[str]:
    """The uses of what is gone, by their full names; an escape sequence that is none raises SyntaxError."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # 3.12 warns of such escapes whenever a file is compiled
        nodes = list(ast.walk(compile(source, "source", "exec", ast.PyCF_ONLY_AST)))
    full_names = {local: full for node in nodes for local, full in imported(node).items()}
    found = [name for name in full_names.values() if name.split(".")[0] in REMOVED_MODULES or name in REMOVED_NAMES]
    for node in nodes:
        if isinstance(node, ast.Attribute):
            first, _, rest = ast.unparse(node).partition(".")
            name = f"{full_names.get(first, first)}.{rest}"
            found += [name] if name in REMOVED_NAMES or node.attr in REMOVED_METHODS else []
    return found


def test_nothing_that_newer_pythons_removed_is_used() -> None:
    files = sorted(path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py"))
    assert {path.relative_to(REPOSITORY).parts[0] for path in files} == {folder.split("/")[0] for folder in FOLDERS}
    found = {path: removed_uses(path.read_text(encoding="utf-8")) for path in files}
    assert {path.relative_to(REPOSITORY).as_posix(): uses for path, uses in found.items() if uses} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import imp",
        "def f():\n    from distutils.version import LooseVersion",
        "import asyncore as a, os",
        "import pkg_resources",
        "import pkgutil as p\np.ImpImporter",
        "from unittest import makeSuite",
        "import importlib.util\nimportlib.util.set_package",
        "class T:\n    def test(self):\n        self.assertEquals(1, 1)",
    ],
)
def test_a_removed_name_is_noticed(source: str) -> None:
    assert removed_uses(source) != []


def test_names_that_only_look_removed_are_allowed() -> None:
    assert removed_uses("import LightSeg.imp\nfrom . import crypt\nuu = 1\nself.cgi.x\nlocale.format_string") == []


def test_an_escape_that_is_none_is_noticed() -> None:
    with pytest.raises(SyntaxError, match="escape"):
        removed_uses('pattern = "\\d"')
