"""farthing credentials: tenants' own keys for providers, from a pipe into the database."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest

from tests.servers.command import Farthing, Said

OLD, NEW = (b64encode(bytes([number]) * 32).decode() for number in (1, 2))
SECRET = "sk-canary-0123456789abcdef"
SETTINGS = '[providers.local]\ndialect = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a configuration."""
    (tmp_path / "farthing.toml").write_text(SETTINGS)
    return tmp_path


@pytest.fixture
def credentials(farthing: Farthing, home: Path) -> Farthing:
    """`farthing credentials …`, reading what is typed."""

    def run(*arguments: str, typed: str = "", key: str = OLD) -> Said:
        environ = {"FARTHING_ENCRYPTION_KEY": key, "DATABASE_URL": f"sqlite:///{home / 'f.db'}"}
        return farthing("credentials", *arguments, typed=typed, **environ)

    return run


def test_a_key_is_kept_listed_and_forgotten(credentials: Farthing, home: Path) -> None:
    """Its last four characters are all that is ever shown, and the file does not hold it."""
    kept = credentials("set", "local", "--tenant", "acme", typed=f"{SECRET}\n")
    assert (kept.status, kept.out, kept.err) == (0, "acme's key …cdef for local is kept\n", "")
    assert b"canary" not in b"".join(path.read_bytes() for path in home.glob("f.db*"))
    listed = credentials("list", "--json")
    assert json.loads(listed.out) == {
        "credentials": [{"tenant": "acme", "provider": "local", "hint": "…cdef", "origin": "http://127.0.0.1:9"}]
    }
    table = credentials("list")
    assert table.out.split() == ["tenant", "provider", "key", "for", "acme", "local", "…cdef", "http://127.0.0.1:9"]
    gone = credentials("delete", "local", "--tenant", "acme", "--json")
    assert json.loads(gone.out) == {"tenant": "acme", "provider": "local", "state": "deleted"}
    again = credentials("delete", "local", "--tenant", "acme")
    assert again.status == 1
    assert "This tenant has brought no key for this provider" in again.err


def test_keys_are_sealed_anew(credentials: Farthing) -> None:
    """The old key opens for the last time; without it the command says what is missing."""
    credentials("set", "local", "--tenant", "acme", "--json", typed=SECRET)
    lost = credentials("reseal", key=NEW)
    assert (lost.status, lost.out) == (1, "0 keys are sealed anew\n")
    assert "1 keys cannot be opened" in lost.err
    done = credentials("reseal", "--json", key=f"{NEW}, {OLD}")
    assert json.loads(done.out) == {"resealed": 1, "unopened": 0}
    assert credentials("reseal", key=NEW).out == "0 keys are sealed anew\n"


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
def test_what_cannot_be_kept_is_refused(credentials: Farthing, provider: str, typed: str, key: str, said: str) -> None:
    """In one line that says what to do and repeats no secret."""
    ended = credentials("set", provider, "--tenant", "acme", typed=typed, key=key)
    assert ended.status == 1
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert "canary" not in ended.out + ended.err
