"""What `make compiled` compiles, and what must not be among it."""

import ast
import tomllib
from pathlib import PurePosixPath

import pytest

from tests.architecture.source import ROOT, Module, package_modules
from tools.compile import source

LISTED: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["farthing"]["compiled"]


def lost(module: Module) -> list[str]:
    """Classes that would not be what they say."""
    classes = (node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef))
    return [f"{module.name}:{node.name}" for node in classes if loses_keywords(node) or any(map(loses_none, node.body))]


def loses_keywords(node: ast.ClassDef) -> bool:
    """Whether mypyc forgets what stands beside the bases, such as `frozen=True`."""
    return bool(node.keywords) or any(isinstance(base, ast.Name) and base.id == "Struct" for base in node.bases)


def loses_none(statement: ast.stmt) -> bool:
    """Whether mypyc forgets this default of an attribute: None, where more than one type is the alternative."""
    match statement:
        case ast.AnnAssign(annotation=ast.BinOp(left=ast.BinOp()), value=ast.Constant(value=None)):
            return True
    return False


def test_each_module_of_the_list_is_there() -> None:
    """Once, in the alphabet's order."""
    files = {module.name for module in package_modules()}
    assert [name for name in LISTED if f"src/{source(name)}" not in files] == []
    assert sorted(set(LISTED)) == LISTED


def test_no_compiled_module_says_what_mypyc_forgets() -> None:
    """Structs stand in modules of their own, which stay interpreted; a default of None may stand in `__init__`."""
    listed = {f"src/{source(name)}" for name in LISTED}
    assert [place for module in package_modules() if module.name in listed for place in lost(module)] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("class A(B): ...\n", []),
        ("class A(B, frozen=True): ...\n", ["m.py:A"]),
        ("class A(Struct): ...\n", ["m.py:A"]),
        ("class A(B, metaclass=C): ...\n", ["m.py:A"]),
        ("class A:\n a: B | None = None\n b: B | C | None\n c: B | C = 0\n", []),
        ("class A:\n a: B | C | None = None\n", ["m.py:A"]),
    ],
)
def test_a_class_that_would_lose_something_is_found(text: str, expected: list[str]) -> None:
    """By its bases, by whatever stands beside them, and by its defaults."""
    assert lost(Module.of("m.py", text)) == expected


def test_a_package_is_found_by_its_own_file() -> None:
    """And a module by its path."""
    assert PurePosixPath(source("dialects")) == PurePosixPath("farthing/dialects/__init__.py")
    assert PurePosixPath(source("http.lane")) == PurePosixPath("farthing/http/lane.py")
