"""The page at `/`: its small files put together, without a build step, into one style sheet and one script."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files

MODULES = (
    "dom",
    "words",
    "place",
    "gateway",
    "live",
    "terms",
    "charts",
    "ledger",
    "decision",
    "drawer",
    "notices",
    "trials",
    "whatif",
    "overview",
    "requests",
    "experiments",
    "cache",
    "models",
    "budgets",
    "page",
)
"""The script's modules, each behind those that it imports."""
MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
HASH_DIGITS = 16
_IMPORT = re.compile(r'^import (?:\* as )?(.*?) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?function|const|class) (\w+)", re.MULTILINE)

Page = Mapping[str, tuple[bytes, bytes, str]]
"""By name: a file's bytes, the same packed by gzip, and its media type."""


def load_page() -> Page:
    """Everything that a browser asks for. Names but `index.html` hold a hash of what is in them, so none ever changes.

    A browser would have to ask for each module by itself; joined they are one request.
    """
    parts = {
        "page.css": _text("vendor/uplot.css") + _text("page.css"),
        "page.js": _text("vendor/uplot.js") + "\nconst modules = {};\n" + "".join(map(_joined, MODULES)),
        "icon.svg": _text("icon.svg"),
    }
    html = _text("index.html")
    page = {}
    for name, text in parts.items():
        stem, _, kind = name.partition(".")
        lasting = f"{stem}.{sha256(text.encode()).hexdigest()[:HASH_DIGITS]}.{kind}"
        html = html.replace(f"/assets/{name}", f"/assets/{lasting}")
        page[lasting] = _packed(text, kind)
    return {"index.html": _packed(html, "html"), **page}


def _joined(name: str) -> str:
    """A module as a function that is called where it stands, with what it exports as its value."""
    module = _text(f"modules/{name}.js")
    exported = ", ".join(found[2] for found in _EXPORT.finditer(module))
    body = _EXPORT.sub(r"\1 \2", _IMPORT.sub(r"const \1 = modules.\2;", module))
    return f"modules.{name} = (() => {{\n{body}return {{ {exported} }};\n}})();\n"


def _packed(text: str, kind: str) -> tuple[bytes, bytes, str]:
    body = text.encode()
    return body, gzip.compress(body, mtime=0), MEDIA_TYPES[kind]


def _text(path: str) -> str:
    return files(__name__).joinpath(path).read_text(encoding="utf-8")
