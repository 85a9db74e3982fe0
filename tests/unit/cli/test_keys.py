"""farthing keys: made, listed and revoked without a running gateway."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from farthing.background.clock import SystemClock
from farthing.domain.secrets import digest, is_well_formed
from tests.servers.command import Farthing


def listed(farthing: Farthing) -> list[dict[str, Any]]:
    """What `keys list --json` says."""
    keys: list[dict[str, Any]] = json.loads(farthing("keys", "list", "--json").out)["keys"]
    return keys


def test_a_new_key_shows_its_secret_once(farthing: Farthing, tmp_path: Path) -> None:
    """The secret alone stands on standard output, and only its digest in the database."""
    said = farthing("keys", "create", "my app")
    secret = said.out.strip()
    assert said.status == 0
    assert is_well_formed(secret)
    [key] = listed(farthing)
    assert said.err == f"key {key['key_id']} (my app): this is the only time that its secret is shown\n"
    assert key["hint"] == f"sk-farthing-…{secret[-4:]}"
    path = tmp_path / ".local/share/farthing/farthing.db"
    assert sqlite3.connect(path).execute("SELECT digest FROM keys").fetchall() == [(digest(secret),)]
    assert secret.encode() not in path.read_bytes()


def test_a_key_grants_what_was_asked(farthing: Farthing) -> None:
    """Owner, models, admin rights and end are kept."""
    options = [
        "--owner",
        "acme/support/ada",
        "--model",
        "small",
        "--model",
        "auto",
        "--admin",
        "--expires",
        "2099-01-31",
        "--rpm",
        "60",
        "--concurrent",
        "2",
        "--max-cost-usd",
        "0.05",
    ]
    made = json.loads(farthing("keys", "create", "app", *options, "--json").out)
    assert is_well_formed(made.pop("secret"))
    assert listed(farthing) == [made]
    assert {name: made[name] for name in made.keys() - {"key_id", "hint"}} == {
        "name": "app",
        "tenant": "acme",
        "team": "support",
        "user": "ada",
        "models": ["auto", "small"],
        "role": "admin",
        "is_admin": True,
        "requests_per_minute": 60,
        "tokens_per_minute": None,
        "concurrent_requests": 2,
        "max_cost_usd": 0.05,
        "expires_at": "2099-01-31T00:00:00Z",
        "state": "active",
    }


def test_without_options_a_key_belongs_to_the_house(farthing: Farthing) -> None:
    """It sees the answers and figures that the gateway gathered before there were keys, and may use every model."""
    made = json.loads(farthing("keys", "create", "app", "--json").out)
    assert (made["tenant"], made["team"], made["user"], made["models"]) == ("local", None, None, None)
    assert (made["is_admin"], made["expires_at"]) == (False, None)


@pytest.mark.parametrize(
    ("period", "length"), [("12h", timedelta(hours=12)), ("30d", timedelta(30)), ("2w", timedelta(14))]
)
def test_a_period_ends_that_long_from_now(farthing: Farthing, period: str, length: timedelta) -> None:
    """Hours, days and weeks are counted from the making."""
    now = datetime.fromtimestamp(SystemClock().now_us() / 1e6, UTC)
    made = json.loads(farthing("keys", "create", "app", "--expires", period, "--json").out)
    assert abs(datetime.fromisoformat(made["expires_at"]) - now - length) < timedelta(seconds=30)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["", "--admin"], "a name has 1 to 200 printable characters and no space around them"),
        (["a\u202eb"], "a name has 1 to 200 printable characters and no space around them"),
        (["a", "--owner", "acme/"], "a name has 1 to 200 printable characters and no space around them"),
        (["a", "--owner", "a/b/c/d"], '"a/b/c/d" is no owner: expected TENANT, TENANT/TEAM or TENANT/TEAM/USER'),
        (["a", "--role", "team_admin"], "a team admin needs a team: --owner TENANT/TEAM"),
        (
            ["a", "--role", "root"],
            '"root" is no role for this key: expected one of member, auditor, team_admin, org_admin, admin',
        ),
        (
            ["a", "--role", "auditor", "--admin"],
            '"auditor" is no role for this key: expected one of member, auditor, team_admin, org_admin, admin',
        ),
        (
            ["a", "--max-cost-usd", "5 cents"],
            '"5 cents" is no amount: expected an amount in US dollars such as 12.50, with at most nine decimals',
        ),
        (["a", "--expires", "0d"], '"0d" is no end: expected 12h, 30d, 8w, or a day such as 2027-01-31'),
        (["a", "--expires", "99999d"], '"99999d" is no end: expected 12h, 30d, 8w, or a day such as 2027-01-31'),
        (
            ["a", "--expires", "2020-02-29"],
            "2020-02-29 has already begun: a key ends at the beginning of its last day, in UTC",
        ),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(farthing: Farthing, arguments: list[str], message: str) -> None:
    """What was wrong is said in one line, and nothing is kept."""
    said = farthing("keys", "create", *arguments)
    assert (said.status, said.out, said.err) == (1, "", f"farthing: {message}\n")
    assert listed(farthing) == []


def test_a_revoked_key_stays_in_the_list(farthing: Farthing) -> None:
    """A key is revoked by id or by name, and its name may be used anew."""
    first = json.loads(farthing("keys", "create", "app", "--json").out)["key_id"]
    assert farthing("keys", "revoke", "app").out == f"key {first} is revoked\n"
    second = json.loads(farthing("keys", "create", "app", "--json").out)["key_id"]
    assert json.loads(farthing("keys", "revoke", second, "--json").out) == {"key_id": second, "state": "revoked"}
    assert [key["state"] for key in listed(farthing)] == ["revoked", "revoked"]


def test_a_name_must_be_clear_to_revoke_by(farthing: Farthing) -> None:
    """An unknown name and one that two keys share revoke nothing."""
    for _ in range(2):
        farthing("keys", "create", "app")
    message = 'farthing: {} called "{}": name one by its id, as `farthing keys list` shows it\n'
    assert farthing("keys", "revoke", "app").err == message.format("2 keys are", "app")
    assert farthing("keys", "revoke", "other").err == message.format("no key is", "other")
    assert [key["state"] for key in listed(farthing)] == ["active", "active"]


def test_the_list_is_a_table(farthing: Farthing) -> None:
    """People see name, owner, models, rights, end and state."""
    key = json.loads(farthing("keys", "create", "app", "--owner", "acme/x", "--admin", "--json").out)
    lines = farthing("keys", "list").out.splitlines()
    assert lines[0].split() == ["id", "name", "key", "owner", "role", "models", "limits", "expires", "state"]
    assert lines[1].split() == [key["key_id"], "app", key["hint"], "acme/x", "admin", "all", "none", "never", "active"]


def test_a_role_and_limits_are_shown(farthing: Farthing) -> None:
    """In words that fit into a line."""
    bounds = ("--rpm", "60", "--tpm", "9", "--max-cost-usd", "1.5")
    farthing("keys", "create", "app", "--owner", "acme/x", "--role", "team_admin", *bounds)
    assert "acme/x  team_admin  all     60 rpm, 9 tpm, $1.50 a request" in farthing("keys", "list").out


def test_the_configured_database_is_used(farthing: Farthing, tmp_path: Path) -> None:
    """--config leads to the file whose database gets the key."""
    (tmp_path / "my.toml").write_text(f'[database]\nurl = "sqlite:///{tmp_path}/mine.db"\n')
    farthing("keys", "--config", "my.toml", "create", "app")
    assert sqlite3.connect(tmp_path / "mine.db").execute("SELECT name FROM keys").fetchall() == [("app",)]


def test_a_database_that_cannot_be_had_is_one_line(farthing: Farthing, tmp_path: Path) -> None:
    """Where the folder is none, the address is named."""
    (tmp_path / "file").write_text("")
    said = farthing("keys", "list", DATABASE_URL=f"sqlite:///{tmp_path}/file/x.db")
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith(f"farthing: sqlite:///{tmp_path}/file/x.db: ")
    assert said.err.count("\n") == 1
