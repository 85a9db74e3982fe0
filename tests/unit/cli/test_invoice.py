"""farthing invoice: a tenant's month by model, with the plan's markup and price."""

from __future__ import annotations

import json
import sqlite3
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from farthing.domain.chat import Usage
from tests.conformance.store.samples import DAY_US, NOON_US, exchange
from tests.servers.command import Farthing
from tests.unit.cli.ledgers import filled

PLANS = """
[plans.pro]
price_usd = 49
markup_percent = 12.5
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Two models of `acme` in December 2025, an answer from a cache, and what is not part of it."""
    (tmp_path / "farthing.toml").write_text(PLANS)
    used = {"usage": Usage(prompt=1_000, completion=200)}
    return filled(
        tmp_path,
        [
            exchange(**used, cost=1_500_000_000),
            exchange(**used, cost=500_000_003),
            exchange(**used, cost=8, model="=large"),
            exchange(**used, cost=0, model="=large", status="cached", cache="hit"),
            exchange(**used, cost=None, model="mystery"),
            exchange(**used, cost=1, status="rejected", model=None),
            exchange(cost=0, status="rejected", model=None, usage=Usage()),
            exchange(**used, tenant="bolt"),
            exchange(**used, created_at_us=NOON_US - DAY_US),
            exchange(**used, created_at_us=NOON_US + 31 * DAY_US),
        ],
    )


def subscribe(url: str, plan: str) -> None:
    """Puts `acme` on a plan."""
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute(
            "INSERT INTO tenants (tenant, name, plan, is_blocked, created_at) VALUES ('acme', 'Acme', ?, 0, 0)", (plan,)
        )


def as_json(farthing: Farthing, url: str, month: str, *options: str) -> dict[str, Any]:
    """The invoice as JSON."""
    said = farthing("invoice", "acme", "--month", month, *options, "--json", DATABASE_URL=url)
    found: dict[str, Any] = json.loads(said.out)
    return found


def test_a_month_is_a_table_with_its_total(farthing: Farthing, url: str) -> None:
    """Amounts are exact, the total is in cents, and what is unpriced is told beside it."""
    subscribe(url, "pro")
    said = farthing("invoice", "acme", "--month", "2025-12", DATABASE_URL=url)
    assert said.status == 0
    assert said.out.splitlines() == [
        "acme 2025-12  requests  tokens in  tokens out          cost        markup        amount",
        "small                2      2,000         400  $2.000000003         $0.25  $2.250000003",
        "=large               2      2,000         400  $0.000000008  $0.000000001  $0.000000009",
        "none                 2      1,000         200  $0.000000001         $0.00  $0.000000001",
        "mystery              1      1,000         200         $0.00         $0.00         $0.00",
        "plan pro                                                                         $49.00",
        "total                7      6,000       1,200  $2.000000012  $0.250000001        $51.25",
        "terms of pro: $49.00 a month and 12.5 % on what is used, since before terms were put on record",
        "prices: farthing.toml",
    ]
    assert said.err == "requests whose cost is not known and missing here: 1 (farthing reprice)\n"


def test_json_tells_the_same(farthing: Farthing, url: str) -> None:
    """Another plan may be named; a tenant on none pays what it costs."""
    found = json.loads(
        farthing("invoice", "acme", "--month", "2025-12", "--plan", "pro", "--json", DATABASE_URL=url).out
    )
    assert {name: found[name] for name in ("tenant", "month", "plan", "markup_percent", "plan_price", "total")} == {
        "tenant": "acme",
        "month": "2025-12",
        "plan": "pro",
        "markup_percent": 12.5,
        "plan_price": 49.0,
        "total": 51.25,
    }
    assert found["lines"][0] == {
        "model": "small",
        "requests": 2,
        "tokens_in": 2_000,
        "tokens_out": 400,
        "unpriced_requests": 0,
        "cost": 2.000000003,
        "markup": 0.25,
        "amount": 2.250000003,
    }
    assert found["usage"]["unpriced_requests"] == 1
    free = as_json(farthing, url, "2025-12")
    assert (free["plan"], free["total"]) == (None, 2.0)


def test_csv_is_for_spreadsheets(farthing: Farthing, url: str) -> None:
    """Plain numbers, one line each, and no name that a spreadsheet would take for a formula."""
    said = farthing("invoice", "acme", "--month", "2025-12", "--plan", "pro", "--csv", DATABASE_URL=url)
    assert said.out.splitlines() == [
        "tenant,month,kind,name,requests,tokens_in,tokens_out,unpriced_requests,cost_usd,markup_usd,amount_usd",
        "acme,2025-12,model,small,2,2000,400,0,2.000000003,0.25,2.250000003",
        "acme,2025-12,model,'=large,2,2000,400,0,0.000000008,0.000000001,0.000000009",
        "acme,2025-12,model,,2,1000,200,0,0.000000001,0.00,0.000000001",
        "acme,2025-12,model,mystery,1,1000,200,1,0.00,0.00,0.00",
        "acme,2025-12,plan,pro,,,,,,,49.00",
        "acme,2025-12,total,,7,6000,1200,1,2.000000012,0.250000001,51.25",
    ]


def test_a_month_without_requests_costs_the_plan_alone(farthing: Farthing, url: str) -> None:
    """Nothing used, nothing but the price."""
    subscribe(url, "pro")
    found = json.loads(
        farthing("invoice", "acme", "--month", "2024-02", "--plan", "pro", "--json", DATABASE_URL=url).out
    )
    assert (found["lines"], found["total"]) == ([], 49.0)


def test_a_tenant_without_a_plan_pays_what_it_used(farthing: Farthing, url: str) -> None:
    """No line for a plan, neither for people nor for spreadsheets."""
    said = farthing("invoice", "bolt", "--month", "2025-12", DATABASE_URL=url)
    assert (said.err, [line.split()[0] for line in said.out.splitlines()]) == (
        "",
        ["bolt", "small", "total", "prices:"],
    )
    rows = farthing("invoice", "bolt", "--month", "2025-12", "--csv", DATABASE_URL=url).out.splitlines()
    assert [row.split(",")[2] for row in rows] == ["kind", "model", "total"]


def test_a_tenant_that_nobody_knows_is_refused(farthing: Farthing, url: str) -> None:
    """A mistyped name would else look like a month without requests."""
    said = farthing("invoice", "acmee", "--month", "2025-12", "--plan", "pro", DATABASE_URL=url)
    assert (said.status, said.out) == (1, "")
    assert said.err == 'farthing: no tenant is called "acmee", and no request of 2025-12 was charged to one\n'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--month", "2025-13"], '"2025-13" is no month: expected one such as 2026-11'),
        (["--month", "December"], '"December" is no month: expected one such as 2026-11'),
        (["--month", "2025-12", "--plan", "gold"], 'there is no plan "gold" in the settings: expected one of pro'),
    ],
)
def test_what_does_not_exist_is_refused(farthing: Farthing, url: str, arguments: list[str], message: str) -> None:
    """In one line that says what was expected."""
    said = farthing("invoice", "acme", *arguments, DATABASE_URL=url)
    assert (said.status, said.out, said.err) == (1, "", f"farthing: {message}\n")


def test_a_plan_that_the_settings_do_not_name_is_no_free_plan(farthing: Farthing, url: str) -> None:
    """An invoice without its markup would be wrong, so there is none until somebody says what it charged."""
    subscribe(url, "gone")
    said = farthing("invoice", "acme", "--month", "2025-12", DATABASE_URL=url)
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith(
        "farthing: What the plan gone charged in 2025-12 is neither on record nor in the settings."
    )
    assert as_json(farthing, url, "2025-12", "--plan", "pro")["total"] == 51.25


def note(url: str, *terms: tuple[int, str | None, int | None, int | None]) -> None:
    """Puts on record what `acme` paid since when, in nano-dollars and basis points."""
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.executemany("INSERT INTO plan_terms VALUES ('acme', ?, ?, ?, ?)", terms)


def test_a_month_is_charged_as_was_agreed_then(farthing: Farthing, url: str) -> None:
    """Whatever the settings and the tenant's plan are now, by the day, and it says since when."""
    subscribe(url, "gone")
    note(url, (0, "pro", 31_000_000_000, 0), (NOON_US + 10 * DAY_US, "gone", 62_000_000_000, 1_000))
    said = farthing("invoice", "acme", "--month", "2025-12", DATABASE_URL=url)
    assert [line.split() for line in said.out.splitlines()[-6:-3]] == [
        ["plan", "pro,", "10", "of", "31", "days", "$10.00"],
        ["plan", "gone,", "21", "of", "31", "days", "$42.00"],
        ["total", "7", "6,000", "1,200", "$2.000000012", "$0.00", "$54.00"],
    ]
    assert said.out.splitlines()[-3:-1] == [
        "terms of pro: $31.00 a month and 0 % on what is used, since before terms were put on record",
        "terms of gone: $62.00 a month and 10 % on what is used, since 2025-12-11",
    ]
    rows = farthing("invoice", "acme", "--month", "2025-12", "--csv", DATABASE_URL=url).out.splitlines()
    assert [row for row in rows if ",plan," in row] == [
        "acme,2025-12,plan,pro,,,,,,,10.00",
        "acme,2025-12,plan,gone,,,,,,,42.00",
    ]
    november, january = (as_json(farthing, url, month) for month in ("2025-11", "2026-01"))
    assert (november["plan"], november["plan_since"], november["plan_price"]) == ("pro", None, 31.0)
    assert (january["plan"], january["plan_since"], january["markup_percent"]) == (
        "gone",
        "2025-12-11T12:00:00.000Z",
        10.0,
    )
    assert as_json(farthing, url, "2025-12")["terms"][1] == {
        "plan": "gone",
        "since": "2025-12-11T12:00:00.000Z",
        "from": "2025-12-11T00:00:00.000Z",
        "to": "2026-01-01T00:00:00.000Z",
        "days": 21,
        "monthly_price": 62.0,
        "plan_price": 42.0,
        "markup_percent": 10.0,
    }


def test_what_nobody_put_on_record_is_charged_as_the_settings_say(farthing: Farthing, url: str) -> None:
    """Of a plan that the tenant left before its terms were known."""
    subscribe(url, "free")
    note(url, (0, "pro", None, None), (NOON_US + 40 * DAY_US, "free", 0, 0))
    found = as_json(farthing, url, "2025-12")
    assert (found["plan"], found["plan_price"], found["markup_percent"]) == ("pro", 49.0, 12.5)


def test_an_invoice_tells_how_old_the_prices_are(farthing: Farthing, url: str) -> None:
    """Of list prices the newest that holds, in a line and in JSON."""
    openai = {"OPENAI_API_KEY": "sk-none", "DATABASE_URL": url}
    told = farthing("invoice", "acme", "--month", "2025-12", **openai).out.splitlines()[-1]
    data = json.loads(farthing("invoice", "acme", "--month", "2025-12", "--json", **openai).out)["prices"]
    assert told == f"prices: {data['source']}, the newest of {data['newest']}"
    assert (data["source"], data["newest"] > "2026-01-01") == (f"genai-prices {version('genai-prices')}", True)
