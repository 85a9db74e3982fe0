"""The embedded database is made before the gateway runs, by a process that ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from farthing.cli.database import is_up_to_date, make_new
from farthing.settings import DatabaseSettings

SCRIPT = """
import sys
from pydantic import SecretStr
from farthing.cli.database import is_up_to_date, make_new
from farthing.settings import DatabaseSettings
database = DatabaseSettings(url=SecretStr(sys.argv[1]))
make_new(database)
assert is_up_to_date(database)
assert "alembic" not in sys.modules
"""


def test_a_new_database_is_made_without_loading_alembic_here(tmp_path: Path) -> None:
    """Its memory goes with the child."""
    subprocess.run([sys.executable, "-c", SCRIPT, f"sqlite:///{tmp_path / 'new' / 'farthing.db'}"], check=True)


def test_a_database_that_is_there_is_left_alone(tmp_path: Path) -> None:
    """Even where its schema is behind: whoever opens it sees to that."""
    path = tmp_path / "farthing.db"
    path.touch()
    database = DatabaseSettings(url=SecretStr(f"sqlite:///{path}"))
    make_new(database)
    assert path.stat().st_size == 0
    assert not is_up_to_date(database)


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:9/none", "sqlite:////proc/none/farthing.db"])
def test_what_cannot_be_made_is_told_later(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    """By whoever opens it."""
    make_new(DatabaseSettings(url=SecretStr(url)))
    assert capfd.readouterr() == ("", "")
