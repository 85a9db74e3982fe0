"""What compiled code remembers of a type, a method or a name holds as long as that is as it was, and no longer."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Struct

from tests.servers.process import program
from tools.compile import MYPYC

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

SOURCE = """
from os import sep
from typing import Any

def name_of(asked: Any) -> Any:
    return asked.name

def title_of(asked: Any) -> Any:
    return asked.title()

def separator() -> str:
    return sep

def value_of(kept: dict[str, int], key: str) -> int:
    return kept[key]
"""


class Named(Struct):
    """Its attribute has a place in the object."""

    name: str

    def title(self) -> str:
        """Its name, written large."""
        return self.name.title()


class Loose:
    """Its attributes are in a dictionary."""

    def __init__(self, name: str) -> None:
        self.name = name

    def title(self) -> str:
        """As that of `Named`."""
        return f"Loose {self.name}"


class Slotted:
    """Its attribute may be missing."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def title(self) -> str:
        """As that of `Named`."""
        return f"Slotted {self.name}"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions above, compiled as `make compiled` compiles the gateway, but in less time."""
    program("gcc")
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "asked.py").write_text(SOURCE, encoding="utf-8")
    command = [MYPYC[0], "MYPYC_OPT_LEVEL=1", *MYPYC[1:], "asked.py"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    [path] = folder.glob("asked.*.so")
    return path


@pytest.fixture
def asked(library: Path, tmp_path: Path) -> ModuleType:
    """The compiled module, which has seen nothing yet: Python would load the same file only once."""
    spec = spec_from_file_location("asked", shutil.copy(library, tmp_path))
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kinds", [(Named, Loose, Slotted), (Slotted, Named, Loose), (Loose, Slotted, Named)])
def test_one_place_meets_many_types(asked: ModuleType, kinds: tuple[Any, ...]) -> None:
    """Each object gives its own, whichever came first."""
    for _ in range(3):
        for kind in kinds:
            assert asked.name_of(kind("ada")) == "ada"
            assert asked.title_of(kind("ada")) == kind("ada").title()
    assert asked.title_of("ada b") == "Ada B"


def test_an_attribute_that_is_gone_is_missed(asked: ModuleType) -> None:
    """And found again once it is back."""
    one = Slotted("ada")
    assert asked.name_of(one) == "ada"
    del one.name
    with pytest.raises(AttributeError, match="name"):
        asked.name_of(one)
    one.name = "bea"
    assert asked.name_of(one) == "bea"


def test_a_class_that_changes_is_seen(asked: ModuleType) -> None:
    """Its attribute becomes a property, its method another."""

    class Changing:
        __slots__ = ("name",)

        def title(self) -> str:
            return "before"

    kind: Any = Changing
    one = kind()
    one.name = "ada"
    assert (asked.name_of(one), asked.title_of(one)) == ("ada", "before")
    kind.title = lambda _: "after"
    assert asked.title_of(one) == "after"
    kind.name = property(lambda _: "computed")
    assert asked.name_of(one) == "computed"


def test_an_object_may_have_its_own_function_for_a_method(asked: ModuleType) -> None:
    """In its dictionary, even after the class's was called."""
    one = Loose("ada")
    assert asked.title_of(one) == "Loose ada"
    one.title = lambda: "mine"  # type: ignore[method-assign]
    assert asked.title_of(one) == "mine"
    assert asked.title_of(Loose("bea")) == "Loose bea"


def test_a_name_may_be_bound_anew(asked: ModuleType) -> None:
    """The compiled function reads what its module has now."""
    assert asked.separator() == "/"
    asked.sep = "|"  # type: ignore[attr-defined]
    assert asked.separator() == "|"
    del asked.sep
    with pytest.raises(KeyError, match="sep"):
        asked.separator()


def test_a_dictionary_is_read_anew(asked: ModuleType) -> None:
    """Whether it, its value, or the key is another."""
    kept, others = {"a": 1, "b": 2}, {"a": 3}
    assert [asked.value_of(kept, "a"), asked.value_of(kept, "b"), asked.value_of(others, "a")] == [1, 2, 3]
    kept["a"] = 4
    assert asked.value_of(kept, "a") == 4
    del kept["a"]
    with pytest.raises(KeyError, match="a"):
        asked.value_of(kept, "a")
