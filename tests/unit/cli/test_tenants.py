"""farthing tenants: made, listed and changed without a running gateway."""

import json
from pathlib import Path

import pytest

from tests.servers.command import Farthing

PLANS = "[plans.pro]\nprice_usd = 20\n[plans.free]\n"


def test_a_tenant_is_made_listed_and_changed(farthing: Farthing, tmp_path: Path) -> None:
    """What is not said stays, and a plan is taken away by its absence in words."""
    (tmp_path / "farthing.toml").write_text(PLANS)
    assert farthing("tenants", "create", "acme", "--name", "Acme Ltd", "--plan", "pro").out == (
        "tenant acme: Acme Ltd, pro, active\n"
    )
    assert farthing("tenants", "set", "acme", "--block").out == "tenant acme: Acme Ltd, pro, blocked\n"
    assert farthing("tenants", "set", "acme", "--unblock", "--plan", "none").out == (
        "tenant acme: Acme Ltd, no plan, active\n"
    )
    changed = {"tenant": "acme", "name": "Acme", "plan": "free", "is_blocked": False}
    assert json.loads(farthing("tenants", "set", "acme", "--name", "Acme", "--plan", "free", "--json").out) == changed
    assert json.loads(farthing("tenants", "list", "--json").out) == {"tenants": [changed]}
    assert [line.split() for line in farthing("tenants", "list").out.splitlines()] == [
        ["id", "name", "plan", "state"],
        ["acme", "Acme", "free", "active"],
    ]


def test_a_keys_owner_is_a_tenant_from_then_on(farthing: Farthing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without having been made; many are listed in portions."""
    monkeypatch.setattr("farthing.cli.tenants._PORTION", 1)
    for owner in ("acme/blue", "acme", "bolt"):
        farthing("keys", "create", "app", "--owner", owner)
    made = json.loads(farthing("tenants", "list", "--json").out)["tenants"]
    assert [(tenant["tenant"], tenant["plan"]) for tenant in made] == [("acme", None), ("bolt", None)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "a\u202eb"], "a name has 1 to 200 printable characters and no space around them"),
        (["create", "a", "--plan", "gold"], 'there is no plan "gold" in the configuration: free, pro'),
        (["set", "nobody", "--block"], "There is no such tenant here"),
        (["create", "twice"], "There is a tenant of this id already"),
    ],
)
def test_what_makes_no_sense_is_refused(farthing: Farthing, tmp_path: Path, arguments: list[str], message: str) -> None:
    """In one line that says what is wrong."""
    (tmp_path / "farthing.toml").write_text(PLANS)
    farthing("tenants", "create", "twice")
    said = farthing("tenants", *arguments)
    assert (said.status, said.out, said.err.count("\n")) == (1, "", 1)
    assert message in said.err
