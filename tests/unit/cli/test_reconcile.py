"""farthing reconcile: the ledger beside a provider's invoice, and the status that tells whether they agree."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.store.samples import DAY_US, NOON_US, exchange
from tests.servers.command import Farthing
from tests.unit.cli.ledgers import filled

CONFIG = """
[providers.openai]
api_key_env = "OPENAI_API_KEY"
[[models]]
name = "cheap"
provider = "openai"
upstream = "gpt-5-mini"
tier = "simple"
"""
AGREED = """day,model,cost_usd
2025-12-01,gpt-4o-2024-08-06,1.001
2025-12-01,"gpt-5-mini, input",0.30
2025-12-02,"gpt-5-mini, output",0.20
2025-11-30,gpt-5-mini,9
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A dollar for a model by its vendor's name, and half of one for a model by ours, over two days."""
    (tmp_path / "farthing.toml").write_text(CONFIG)
    (tmp_path / "agreed.csv").write_text(AGREED)
    return filled(
        tmp_path,
        [
            exchange(cost=1_000_000_000, model="gpt-4o"),
            exchange(cost=300_000_000, model="cheap"),
            exchange(cost=200_000_000, model="cheap", created_at_us=NOON_US + DAY_US),
            exchange(cost=5_000_000_000, provider="elsewhere"),
        ],
    )


def arguments(url: str, file: str, *options: str) -> tuple[list[str], dict[str, str]]:
    """The command line and environment for one file."""
    line = ["reconcile", file, "--provider", "openai", "--month", "2025-12", *options]
    return line, {"DATABASE_URL": url, "OPENAI_API_KEY": "sk-x"}


def test_an_invoice_that_agrees(farthing: Farthing, url: str) -> None:
    """Models meet under the name of the price data, whatever either side calls them; the status is 0."""
    line, environ = arguments(url, "agreed.csv")
    said = farthing(*line, **environ)
    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines() == [
        "day         model       ledger  invoice  difference      %",
        "2025-12-01  gpt-4o       $1.00   $1.001     -$0.001  -0.10",
        "2025-12-01  gpt-5-mini   $0.30    $0.30       $0.00  +0.00",
        "2025-12-02  gpt-5-mini   $0.20    $0.20       $0.00  +0.00",
        "all days    gpt-4o       $1.00   $1.001     -$0.001  -0.10",
        "all days    gpt-5-mini   $0.50    $0.50       $0.00  +0.00",
        "total                    $1.50   $1.501     -$0.001  -0.07",
        "lines for other months, left out: 1",
    ]


def test_an_invoice_that_does_not(farthing: Farthing, url: str, tmp_path: Path) -> None:
    """The table is shown all the same; one line tells the difference, and the status is 1."""
    (tmp_path / "x.csv").write_text("day,model,cost_usd\n2025-12-01,gpt-4o,1.10\n2025-12-03,,0.50\n")
    line, environ = arguments(url, "x.csv", "--tolerance", "9.5")
    said = farthing(*line, **environ)
    assert (said.status, said.err) == (1, "farthing: the ledger and the invoice are more than 9.5 % apart\n")
    assert said.out.splitlines()[-3:] == [
        "total                    $1.50    $1.60      -$0.10    -6.25",
        "only on the invoice: none",
        "only in the ledger: gpt-5-mini",
    ]


def test_json_tells_the_same(farthing: Farthing, url: str, tmp_path: Path) -> None:
    """With the tokens of both sides, where the invoice counts them."""
    (tmp_path / "x.csv").write_text("day,model,cost_usd,tokens\n2025-12-01,GPT-4o,1,50\n2025-12-01,own,0.02,1\n")
    line, environ = arguments(url, "x.csv", "--json", "--tolerance", "50")
    said = farthing(*line, **environ)
    found: dict[str, Any] = json.loads(said.out)
    assert said.status == 1
    assert found["is_within_tolerance"] is False
    assert (found["only_on_invoice"], found["only_in_ledger"], found["lines_left_out"]) == (["own"], ["gpt-5-mini"], 0)
    assert found["days"][0] == {
        "day": "2025-12-01",
        "model": "gpt-4o",
        "ledger": 1.0,
        "invoice": 1.0,
        "difference": 0.0,
        "percent": 0.0,
        "requests": 1,
        "unpriced_requests": 0,
        "tokens": 66,
        "invoiced_tokens": 50,
    }
    assert found["models"][-1]["percent"] == -100.0
    assert found["total"]["difference"] == 0.48


def test_requests_without_a_cost_are_told(farthing: Farthing, tmp_path: Path) -> None:
    """They may be what the difference is made of. A provider that is configured no more still has its rows."""
    url = filled(tmp_path, [exchange(cost=None, model="mystery")])
    (tmp_path / "x.csv").write_text("day,model,cost_usd\n2025-12-01,mystery,0.01\n")
    line, _ = arguments(url, "x.csv")
    said = farthing(*line, DATABASE_URL=url)
    assert said.status == 0
    assert said.out.splitlines()[-1] == "requests whose cost is not known (farthing reprice): 1"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"day,model,cost_usd\n2025-12-01,a,b\n", 'bad.csv, line 2, column cost_usd: "b" is no amount in USD'),
        (b"day,model,cost_usd\n2025-12-01,\xff,1\n", "bad.csv, line 2: this is not UTF-8"),
        (None, "bad.csv cannot be read (No such file or directory)"),
    ],
)
def test_a_bad_file_is_refused(
    farthing: Farthing, url: str, tmp_path: Path, content: bytes | None, message: str
) -> None:
    """By line and column."""
    if content is not None:
        (tmp_path / "bad.csv").write_bytes(content)
    line, environ = arguments(url, "bad.csv")
    said = farthing(*line, **environ)
    assert (said.status, said.out, said.err) == (1, "", f"farthing: {message}\n")


def test_a_file_beyond_any_invoice_is_refused(farthing: Farthing, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it fills the memory."""
    monkeypatch.setattr(sys.modules["farthing.cli.reconcile"], "_MAX_BYTES", 10)
    line, environ = arguments(url, "agreed.csv")
    assert farthing(*line, **environ).err.startswith("farthing: agreed.csv is larger than 64 MiB")


def test_a_provider_that_nobody_knows_is_refused(farthing: Farthing, url: str) -> None:
    """A mistyped name would else look like an invoice for nothing."""
    said = farthing("reconcile", "agreed.csv", "--provider", "opnai", "--month", "2025-12", DATABASE_URL=url)
    assert said.status == 1
    assert said.err == 'farthing: no provider is called "opnai", and no request of 2025-12 went to one\n'
