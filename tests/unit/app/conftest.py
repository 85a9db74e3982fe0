"""Settings of a file and an environment, without the machine's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from farthing.settings import Settings, load

SettingsOf = Callable[..., Settings]
"""Takes the text of a farthing.toml and, by keyword, variables of the environment."""


@pytest.fixture
def settings_of(tmp_path: Path) -> SettingsOf:
    """Makes settings in a folder of their own."""

    def make(text: str = "", **environ: str) -> Settings:
        path = tmp_path / "farthing.toml"
        path.write_text(text)
        home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
        return load(path, {**home, **environ})

    return make
