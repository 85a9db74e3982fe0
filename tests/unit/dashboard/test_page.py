"""The static page."""

from __future__ import annotations

import gzip
import re
from importlib.resources import files
from pathlib import Path

import farthing.dashboard
from farthing.dashboard import MODULES, load_page

FOLDER = Path(str(files(farthing.dashboard)))
LARGEST_PACKED = 100 * 1024
LONGEST_MODULE = 400
IMPORT = re.compile(r'^import (?:\{ (.+) \}|\* as \w+) from "\./(\w+)\.js";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?:async )?(?:function|const|class) (\w+)", re.MULTILINE)


def module(name: str) -> str:
    """One module as it is written."""
    return (FOLDER / "modules" / f"{name}.js").read_text(encoding="utf-8")


def served(kind: str) -> str:
    """The text of the page's one file of this kind."""
    [body] = [body for name, (body, _, _) in load_page().items() if name.endswith(f".{kind}")]
    return body.decode()


def test_the_page_is_three_requests_that_need_nothing_from_elsewhere() -> None:
    """And an icon, which browsers ask for later. No file loads anything from another host."""
    page = load_page()
    assert {re.sub(r"\.[0-9a-f]{16}\.", ".", name) for name in page} == {
        "index.html",
        "page.css",
        "page.js",
        "icon.svg",
    }
    parts = re.findall(r'(?:src|href)="/assets/([^"]+)"', served("html"))
    assert sorted(parts) == sorted(set(page) - {"index.html"})
    assert not re.search(r"https?://|//cdn|@import", served("html") + served("css"))
    assert sum(len(packed) for _, packed, _ in page.values()) <= LARGEST_PACKED


def test_packed_files_are_the_same_files() -> None:
    """And the same bytes at every start, so that workers agree on their names."""
    first, again = load_page(), load_page()
    assert first == again
    assert all(gzip.decompress(packed) == body for body, packed, _ in first.values())


def test_a_name_tells_what_is_in_it() -> None:
    """A browser may keep a file for ever: another content has another name."""
    names = [name for name in load_page() if name != "index.html"]
    assert all(re.fullmatch(r"\w+\.[0-9a-f]{16}\.\w+", name) for name in names)


def test_nothing_is_interpreted_or_inline() -> None:
    """A strict content policy holds: no inline script or style, and texts are set as texts."""
    assert not re.search(r"<script(?![^>]*src=)|\sstyle=|\son[a-z]+=", served("html"))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function", served("js"))


def test_files_bear_their_media_types() -> None:
    """A script that is no script to the browser does not run."""
    kinds = {name.rpartition(".")[2]: kind for name, (_, _, kind) in load_page().items()}
    assert kinds == {
        "css": "text/css; charset=utf-8",
        "html": "text/html; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
    }


def test_every_module_is_in_the_script_behind_what_it_imports() -> None:
    """Each name that is imported is exported there, and nothing is left that only a module may hold."""
    assert {file.stem for file in (FOLDER / "modules").iterdir()} == set(MODULES)
    for place, name in enumerate(MODULES):
        for names, source in IMPORT.findall(module(name)):
            assert source in MODULES[:place], (name, source)
            assert set(filter(None, names.split(", "))) <= set(EXPORT.findall(module(source))), (name, source)
    assert not re.search(r"^(?:import|export)\b", served("js"), re.MULTILINE)


def test_modules_are_small() -> None:
    """As every file of the project."""
    assert max(len(module(name).splitlines()) for name in MODULES) <= LONGEST_MODULE


def test_what_the_script_looks_for_is_on_the_page() -> None:
    """An element that was renamed on one side alone would leave the page empty."""
    script = "".join(map(module, MODULES))
    wanted = set(re.findall(r'byId\("([^"]+)"\)', script)) - set(re.findall(r'\bid: "([^"]+)"', script))
    assert {"view", "notices", "drawer"} <= wanted
    assert wanted <= set(re.findall(r'\bid="([^"]+)"', served("html")))


def test_the_chart_library_comes_with_its_licence() -> None:
    """Which its authors ask for."""
    assert "Leon Sorokin" in (FOLDER / "vendor" / "uplot.LICENSE").read_text(encoding="utf-8")
