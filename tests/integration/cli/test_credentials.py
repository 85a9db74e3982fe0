"""farthing credentials: tenants' own keys for providers, from a pipe into the database."""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from tests.integration.cli.conftest import PROGRAM, Ended, environment

OLD, NEW = (b64encode(bytes([number]) * 32).decode() for number in (1, 2))
SECRET = "sk-canary-0123456789abcdef"
SETTINGS = '[providers.local]\ndialect = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a configuration."""
    (tmp_path / "farthing.toml").write_text(SETTINGS)
    return tmp_path


def credentials(home: Path, *arguments: str, typed: str = "", key: str = OLD) -> Ended:
    """`farthing credentials …`, reading what is typed."""
    return subprocess.run(
        [PROGRAM, "credentials", *arguments],
        cwd=home,
        env=environment(home, {"FARTHING_ENCRYPTION_KEY": key, "DATABASE_URL": f"sqlite:///{home / 'f.db'}"}),
        input=typed,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_key_is_kept_listed_and_forgotten(home: Path) -> None:
    """Its last four characters are all that is ever shown, and the file does not hold it."""
    kept = credentials(home, "set", "local", "--tenant", "acme", typed=f"{SECRET}\n")
    assert (kept.returncode, kept.stdout, kept.stderr) == (0, "acme's key …cdef for local is kept\n", "")
    assert b"canary" not in b"".join(path.read_bytes() for path in home.glob("f.db*"))
    listed = credentials(home, "list", "--json")
    assert json.loads(listed.stdout) == {
        "credentials": [{"tenant": "acme", "provider": "local", "hint": "…cdef", "origin": "http://127.0.0.1:9"}]
    }
    table = credentials(home, "list")
    assert table.stdout.split() == ["tenant", "provider", "key", "for", "acme", "local", "…cdef", "http://127.0.0.1:9"]
    gone = credentials(home, "delete", "local", "--tenant", "acme", "--json")
    assert json.loads(gone.stdout) == {"tenant": "acme", "provider": "local", "state": "deleted"}
    again = credentials(home, "delete", "local", "--tenant", "acme")
    assert again.returncode == 1
    assert "This tenant has brought no key for this provider" in again.stderr


def test_keys_are_sealed_anew(home: Path) -> None:
    """The old key opens for the last time; without it the command says what is missing."""
    credentials(home, "set", "local", "--tenant", "acme", "--json", typed=SECRET)
    lost = credentials(home, "reseal", key=NEW)
    assert (lost.returncode, lost.stdout) == (1, "0 keys are sealed anew\n")
    assert "1 keys cannot be opened" in lost.stderr
    done = credentials(home, "reseal", "--json", key=f"{NEW}, {OLD}")
    assert json.loads(done.stdout) == {"resealed": 1, "unopened": 0}
    assert credentials(home, "reseal", key=NEW).stdout == "0 keys are sealed anew\n"


@pytest.mark.parametrize(
    ("provider", "typed", "key", "said"),
    [
        ("local", SECRET, "", "set FARTHING_ENCRYPTION_KEY to 32 bytes in base64"),
        ("local", SECRET, "c2hvcnQ=", "FARTHING_ENCRYPTION_KEY: expected 32 bytes in base64"),
        ("lokal", SECRET, OLD, 'there is no provider "lokal" here (local)'),
        ("local", "", OLD, "expected the provider's key on standard input"),
        ("local", "two words", OLD, "expected the provider's key on standard input"),
        ("local", "naïve", OLD, "expected the provider's key on standard input"),
    ],
)
def test_what_cannot_be_kept_is_refused(home: Path, provider: str, typed: str, key: str, said: str) -> None:
    """In one line that says what to do and repeats no secret."""
    ended = credentials(home, "set", provider, "--tenant", "acme", typed=typed, key=key)
    assert ended.returncode == 1
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "canary" not in ended.stdout + ended.stderr
