"""farthing reprice: what was unpriced gets its cost, beside a running gateway."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from farthing.domain.chat import Usage
from tests.conformance.store.samples import DAY_US, NOON_US, exchange
from tests.servers.command import Farthing
from tests.unit.cli.ledgers import filled, total

CONFIG = """
[providers.openai]
dialect = "openai"
base_url = "http://127.0.0.1:9/v1"
[[models]]
name = "small"
provider = "openai"
input_usd_per_mtok = 5
output_usd_per_mtok = 25
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Two calls of a model that is priced by now, a day apart, one of another that is not, and one that was paid."""
    unpriced = {"cost": None, "baseline_cost": None, "strategy": "passthrough", "usage": Usage(prompt=1_000_000)}
    (tmp_path / "farthing.toml").write_text(CONFIG)
    return filled(
        tmp_path,
        [
            exchange(**unpriced),
            exchange(**unpriced, created_at_us=NOON_US + DAY_US),
            exchange(**unpriced, model="mystery"),
            exchange(cost=7),
        ],
    )


def test_what_can_be_priced_is(farthing: Farthing, url: str) -> None:
    """The table tells by model what was found, and what is still unknown; a second run finds nothing more."""
    said = farthing("reprice", DATABASE_URL=url)
    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines() == [
        "provider  model    priced    cost  still unpriced",
        "openai    mystery       0   $0.00               1",
        "openai    small         2  $10.00               0",
        "total                   2  $10.00               1",
    ]
    assert total(url)["total_cost"] == 10_000_000_007
    again = farthing("reprice", DATABASE_URL=url).out.splitlines()
    assert again[1:] == [
        "openai    mystery       0  $0.00               1",
        "total                   0  $0.00               1",
    ]


def test_a_dry_run_changes_nothing(farthing: Farthing, url: str) -> None:
    """It says what would be done, for the stretch that was named."""
    said = farthing("reprice", "--dry-run", "--from", "2025-12-02", "--json", DATABASE_URL=url)
    assert json.loads(said.out) == {
        "dry_run": True,
        "rows": 1,
        "cost": 5.0,
        "still_unpriced": 0,
        "models": [{"provider": "openai", "model": "small", "rows": 1, "cost": 5.0, "still_unpriced": 0}],
    }
    assert "would be priced" in farthing("reprice", "--dry-run", DATABASE_URL=url).out
    assert total(url)["unpriced_requests"] == 3


def test_a_ledger_without_gaps_is_told_so(farthing: Farthing, tmp_path: Path) -> None:
    """One line, not an empty table."""
    assert farthing("reprice", DATABASE_URL=filled(tmp_path, [exchange()])).out == "every request has a price\n"


@pytest.mark.parametrize("option", ["--from", "--to"])
def test_a_moment_that_is_none_is_refused(farthing: Farthing, url: str, option: str) -> None:
    """The message names the option and what was expected."""
    said = farthing("reprice", option, "yesterday", DATABASE_URL=url)
    assert (said.status, said.out) == (1, "")
    assert said.err == (
        f"farthing: `{option}` must be a date such as 2026-11-21, or a moment such as 2026-11-21T09:30:00Z.\n"
    )
