"""What `make compiled` compiles, and what must not be among it."""

import ast
import tomllib
from pathlib import PurePosixPath

import pytest

from farthing.domain import values
from tests.architecture.source import ROOT, Module, package_modules
from tools.compile import source

LISTED: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["farthing"]["compiled"]

VALUES = {"Value": {"frozen"}, "Unique": {"eq"}}
"""Options that an heir of these has from them, whether or not it repeats them."""
UNTOLD = {"gc"}
"""Options by which nobody can tell objects apart."""


def lost(module: Module) -> list[str]:
    """Classes that would not be what they say."""
    classes = (node for node in module.nodes if isinstance(node, ast.ClassDef))
    return [f"{module.name}:{node.name}" for node in classes if loses_keywords(node) or any(map(loses_none, node.body))]


def heirs(module: Module) -> list[str]:
    """Classes of an interpreted module that inherit from one of a compiled module, which mypyc forbids."""
    compiled = {f"farthing.{name}" for name in LISTED}
    nodes = [*module.nodes]
    theirs = {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module in compiled
        for alias in node.names
    }
    return [
        f"{module.name}:{node.name}" for node in nodes if isinstance(node, ast.ClassDef) and bases_of(node) & theirs
    ]


def bases_of(node: ast.ClassDef) -> set[str]:
    """Their names."""
    return {ast.unparse(base).rpartition(".")[2] for base in node.bases}


def loses_keywords(node: ast.ClassDef) -> bool:
    """Whether mypyc forgets what stands beside the bases and tells of more than them, such as `frozen=True`."""
    bases = bases_of(node)
    kept = UNTOLD.union(*(options for name, options in VALUES.items() if name in bases))
    return "Struct" in bases or not {keyword.arg for keyword in node.keywords} <= kept


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
    """Structs are made of `domain.values`, or stand in modules that stay interpreted; None may be set in `__init__`."""
    listed = {f"src/{source(name)}" for name in LISTED}
    assert [place for module in package_modules() if module.name in listed for place in lost(module)] == []


def test_heirs_have_the_options_of_their_bases() -> None:
    """As the bases are relied on to hand them on."""

    class Heir(values.Value, frozen=True):
        pass

    class Other(values.Unique):
        pass

    assert Heir.__struct_config__.frozen
    assert Heir() == Heir()
    assert Other() != Other()


def test_no_interpreted_class_inherits_from_a_compiled_one() -> None:
    """Else `make compiled` ends with an error once everything is compiled."""
    listed = {f"src/{source(name)}" for name in LISTED}
    assert [place for module in package_modules() if module.name not in listed for place in heirs(module)] == []


def test_no_compiled_class_has_a_cached_property() -> None:
    """Which mypyc takes for any other, and works out anew each time."""
    listed = {f"src/{source(name)}" for name in LISTED}
    texts = {module.name: module.text for module in package_modules() if module.name in listed}
    assert [name for name, text in texts.items() if "cached_property" in text] == []


def test_an_heir_is_found() -> None:
    """By what it imports, under whichever name."""
    compiled = f"from farthing.{LISTED[0]} import A, B as C\n"
    assert heirs(Module.of("m.py", f"{compiled}class D(A): ...\nclass E(C): ...\nclass F: ...\n")) == [
        "m.py:D",
        "m.py:E",
    ]
    assert heirs(Module.of("m.py", "from farthing.ports import A\nclass D(A): ...\n")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("class A(B): ...\n", []),
        ("class A(B, frozen=True): ...\n", ["m.py:A"]),
        ("class A(Struct): ...\n", ["m.py:A"]),
        ("class A(msgspec.Struct): ...\n", ["m.py:A"]),
        ("class A(B, metaclass=C): ...\n", ["m.py:A"]),
        ("class A(Value, frozen=True, gc=False): ...\n", []),
        ("class A(Value, frozen=True, kw_only=True): ...\n", ["m.py:A"]),
        ("class A(Unique): ...\n", []),
        ("class A(Unique, frozen=True): ...\n", ["m.py:A"]),
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
