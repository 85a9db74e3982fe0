"""A folder of its own for each test that loads settings."""

from collections.abc import Callable
from pathlib import Path

import pytest

from farthing.settings import Settings, load

Load = Callable[..., Settings]


@pytest.fixture
def settings_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads the settings that a file's text and variables make, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def settings_of(text: str | None = None, **environ: str) -> Settings:
        path = None
        if text is not None:
            path = Path("farthing.toml")
            path.write_text(text, encoding="utf-8")
        return load(path, {"HOME": "/home/ada", **environ})

    return settings_of
