"""The page at `/`: static files, no build step."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
}


def load_page() -> Mapping[str, tuple[bytes, str]]:
    """Every file of the page by name: its bytes and media type."""
    folder = files(__name__)
    return {
        file.name: (file.read_bytes(), MEDIA_TYPES[file.name.rsplit(".", 1)[1]])
        for file in folder.iterdir()
        if file.name.rsplit(".", 1)[-1] in MEDIA_TYPES
    }
