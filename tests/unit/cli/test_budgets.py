"""farthing budgets: made, listed, changed and deleted without a running gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.servers.command import Farthing


def listed(farthing: Farthing, *more: str) -> list[dict[str, Any]]:
    """What `budgets list --json` says."""
    budgets: list[dict[str, Any]] = json.loads(farthing("budgets", "list", "--json", *more).out)["budgets"]
    return budgets


def test_a_new_budget_is_listed_with_what_is_left(farthing: Farthing) -> None:
    """Its id stands alone on standard output."""
    options = ["--limit", "12.5", "--per", "total", "--name", "house", "--degrade", "cheaper@90,cache_only@97"]
    said = farthing("budgets", "create", "tenant", *options)
    assert (said.status, said.err) == (0, "")
    assert listed(farthing) == [
        {
            "budget_id": said.out.strip(),
            "name": "house",
            "tenant": "local",
            "scope": "tenant",
            "subject": "local",
            "window": "total",
            "limit": 12.5,
            "is_hard": True,
            "degrade": [{"at_percent": 90, "action": "cheaper"}, {"at_percent": 97, "action": "cache_only"}],
            "spent": 0.0,
            "held": 0.0,
            "left": 12.5,
            "resets_at": None,
        }
    ]
    table = farthing("budgets", "list").out.splitlines()
    assert table[0].split() == ["id", "name", "whose", "per", "limit", "spent", "held", "left", "resets", "kind"]
    *money, reset, kind, steps = table[1].split()[3:]
    assert (money, reset, kind) == (["total", "$12.50", "$0.00", "$0.00", "$12.50"], "never", "hard")
    assert (table[1].split()[1:3], steps) == (["house", "tenant:local"], "cheaper@90,cache_only@97")


@pytest.mark.parametrize(
    ("whose", "options", "made"),
    [
        ("team:support", ["--tenant", "acme"], ("acme", "team", "support")),
        ("user:ada", [], ("local", "user", "ada")),
        ("tag:feature=triage", [], ("local", "tag", "feature=triage")),
        ("model:gpt-5.5", [], ("local", "model", "gpt-5.5")),
        ("tenant:bolt", [], ("bolt", "tenant", "bolt")),
        ("tenant", ["--tenant", "bolt"], ("bolt", "tenant", "bolt")),
        ("gateway", [], (None, "gateway", None)),
    ],
)
def test_everybody_can_have_a_budget(
    farthing: Farthing, whose: str, options: list[str], made: tuple[str | None, str, str | None]
) -> None:
    """Each within its tenant, but for the one of all."""
    budget = json.loads(farthing("budgets", "create", whose, "--limit", "1", "--soft", "--json", *options).out)
    assert (budget["tenant"], budget["scope"], budget["subject"]) == made
    assert (budget["window"], budget["is_hard"], budget["degrade"]) == ("month", False, [])
    assert len(listed(farthing)) == 1


def test_a_keys_budget_belongs_to_its_tenant(farthing: Farthing) -> None:
    """The key must be there, and be the tenant's where one is named."""
    key = json.loads(farthing("keys", "create", "app", "--owner", "acme/support", "--json").out)["key_id"]
    made = json.loads(farthing("budgets", "create", f"key:{key}", "--limit", "1", "--per", "day", "--json").out)
    assert (made["tenant"], made["subject"]) == ("acme", key)
    for wrong in (["key:nobody"], [f"key:{key}", "--tenant", "bolt"]):
        said = farthing("budgets", "create", *wrong, "--limit", "1")
        assert said.status == 1
        assert "`farthing keys list` shows the ids" in said.err
    assert [len(listed(farthing, "--tenant", tenant)) for tenant in ("acme", "bolt")] == [1, 0]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nobody", "--limit", "1"], '"nobody" is nobody: expected key:ID, team:NAME'),
        (["team", "--limit", "1"], '"team" is nobody'),
        (["gateway:x", "--limit", "1"], '"gateway:x" is nobody'),
        (["tag:feature", "--limit", "1"], '"tag:feature" is nobody'),
        (["user:\u202eeve", "--limit", "1"], "printable characters"),
        (["gateway", "--limit=-1"], '"-1" is no limit'),
        (["gateway", "--limit", "nan"], '"nan" is no limit'),
        (["gateway", "--limit", "1e308"], '"1e308" is no limit'),
        (["gateway", "--limit", "9223372036.854775808"], "the largest amount is 9223372036.854775807"),
        (
            ["gateway", "--limit", "1", "--per", "year"],
            '"year" is no stretch of time: expected day, week',
        ),
        (["gateway", "--limit", "1", "--degrade", "cheaper@97,cache_only@90"], "are no steps"),
        (["gateway", "--limit", "1", "--degrade", "cheaper@0"], "are no steps"),
        (["gateway", "--limit", "1", "--degrade", "dearer@50"], "are no steps"),
        (["gateway", "--limit", "1", "--name", " "], "printable characters"),
    ],
)
def test_what_is_no_budget_is_refused(farthing: Farthing, arguments: list[str], complaint: str) -> None:
    """In one line that says what was expected; nothing is made."""
    said = farthing("budgets", "create", *arguments)
    assert (said.status, said.out) == (1, "")
    assert complaint in said.err
    assert len(said.err.splitlines()) == 1


def test_a_budget_is_changed_and_deleted(farthing: Farthing) -> None:
    """What is not named stays."""
    made = farthing("budgets", "create", "gateway", "--limit", "1", "--degrade", "cheaper@50").out.strip()
    said = farthing("budgets", "set", made, "--limit", "2", "--soft", "--name", "all")
    assert said.out == f"budget {made} is changed\n"
    [budget] = listed(farthing)
    assert (budget["limit"], budget["is_hard"], budget["name"], len(budget["degrade"])) == (2.0, False, "all", 1)
    changed = json.loads(farthing("budgets", "set", made, "--degrade", "none", "--hard", "--json").out)
    assert (changed["limit"], changed["is_hard"], changed["degrade"]) == (2.0, True, [])
    assert farthing("budgets", "delete", made).out == f"budget {made} is deleted\n"
    assert listed(farthing) == []


def test_a_budget_that_is_not_there_is_neither_changed_nor_deleted(farthing: Farthing) -> None:
    """Whoever asked learns where the ids are; so does who names no change."""
    for command in (["set", "b9", "--limit", "1"], ["delete", "b9"]):
        said = farthing("budgets", *command)
        assert (said.status, said.out) == (1, "")
        assert said.err == 'farthing: no budget has the id "b9": `farthing budgets list` shows the ids\n'
    said = farthing("budgets", "set", "b9")
    assert "nothing to change" in said.err
    made = json.loads(farthing("budgets", "create", "gateway", "--limit", "1", "--json").out)["budget_id"]
    assert json.loads(farthing("budgets", "delete", made, "--json").out) == {"budget_id": made, "state": "deleted"}


def test_another_configuration_can_be_named(farthing: Farthing, tmp_path: Any) -> None:
    """As for keys."""
    file = tmp_path / "other.toml"
    file.write_text(f'[database]\nurl = "sqlite:///{tmp_path / "other.db"}"\n')
    farthing("budgets", "--config", str(file), "create", "gateway", "--limit", "1")
    assert (tmp_path / "other.db").exists()
