"""Cost exports as vendors write them, and the line and column of what is wrong with one."""

from __future__ import annotations

import contextlib
import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.pricing import NANO
from farthing.domain.reconciliation import Charge
from farthing.insight.reconciliation import DAYS, BadInvoice, Invoiced, read_invoice

OPENAI = """start_time,end_time,start_time_iso,amount_value,amount_currency,line_item,project_id
1793577600,1793664000,2026-11-02T00:00:00+00:00,0.00012300000000000001,usd,"gpt-5-mini, input",p1
1793577600,1793664000,2026-11-02T00:00:00+00:00,1.5e-05,usd,"gpt-5-mini, output",p1
1793491200,1793577600,2026-11-01T00:00:00+00:00,-2.5,usd,,p1
"""
ANTHROPIC = """usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,cost_type
2026-11-02,Claude Sonnet 4.5,Default,key,message,≤ 200k,input_no_cache,12.34,token
2026-11-03,,Default,,,,,0.10,web_search
"""


def charge(cost: int, tokens: int | None = None) -> Charge:
    """A charge for the second of November and model `a`."""
    return Charge(day="2026-11-02", model="a", cost=cost, tokens=tokens)


def read(text: str) -> Invoiced:
    """The charges of November 2026, models in small letters."""
    return read_invoice(text, "2026-11", str.lower)


def test_openais_export() -> None:
    """The day, the model before the comma, and an amount with all its digits, rounded to a nano-dollar; credits too."""
    assert read(OPENAI).charges == [
        Charge(day="2026-11-02", model="gpt-5-mini", cost=123_000),
        Charge(day="2026-11-02", model="gpt-5-mini", cost=15_000),
        Charge(day="2026-11-01", model="", cost=-2_500_000_000),
    ]


def test_anthropics_export() -> None:
    """Models by the name that people read, and what was charged for no model."""
    assert read(ANTHROPIC).charges == [
        Charge(day="2026-11-02", model="claude sonnet 4.5", cost=12_340_000_000),
        Charge(day="2026-11-03", model="", cost=100_000_000),
    ]


@pytest.mark.parametrize(
    ("header", "line", "read_as"),
    [
        ("day,model,cost_usd", "2026-11-02,a,1", charge(NANO)),
        (
            "Date;Model;Cost (USD)",
            '2026-11-02;a;"$1,234.5"',
            charge(1_234_500_000_000),
        ),
        ("model\tcost\tday", "a\t.5\t20261102", charge(500_000_000)),
        ("day,model,tokens,cost", "2026-11-02,a,1200,1", charge(NANO, tokens=1200)),
        (
            "day,model,input_tokens,output_tokens,cost",
            '2026-11-02,a,"1,000",,1',
            charge(NANO, tokens=1000),
        ),
        ("start_time,model,cost", "1793577600,a,1", charge(NANO)),
        ("day,model,cost", "2026-11-01T23:30:00-02:00,a,1", charge(NANO)),
        ("day,model,cost", "2026-11-02 23:30:00,a,1", charge(NANO)),
        ("\ufeffday,model,cost", "2026-11-02,a,0.0000000005", charge(0)),
    ],
)
def test_columns_are_known_by_their_names(header: str, line: str, read_as: Charge) -> None:
    """In any order and spelling, between commas, semicolons or tabs; moments count in UTC."""
    assert read(f"{header}\n\n{line}\n").charges == [read_as]


def test_other_months_are_left_out_and_counted() -> None:
    """An export may hold more than was asked for."""
    found = read("day,model,cost\n2026-10-31,a,1\n2026-11-30,a,2\n2026-12-01,a,4\n")
    assert ([one.cost for one in found.charges], found.left_out) == ([2 * NANO], 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the file is empty"),
        ("\n\n", "line 1: the file is empty"),
        (
            "model,cost\n",
            f"line 1: no column tells the day: expected one called {', '.join(DAYS)}",
        ),
        ("\nday,cost\n", "line 2: no column tells the model: expected one called model, model_name, line_item"),
        (
            "day,model,amount\n",
            "line 1: no column tells the cost in USD: expected one called cost_usd, amount_value, amount_usd, cost",
        ),
        ("day,model,cost\n2026-11-02,a\n", "line 2: 2 columns where the first line has 3"),
        (
            "day,model,cost\n2026-11-02,a,1\n02/11/2026,a,1\n",
            'line 3, column day: "02/11/2026" is no day such as 2026-11-02',
        ),
        ("Day,model,cost\n,a,1\n", 'line 2, column Day: "" is no day such as 2026-11-02'),
        ("day,model,Cost USD\n2026-11-02,a,free\n", 'line 2, column Cost USD: "free" is no amount in USD'),
        ("day,model,cost\n2026-11-02,a,NaN\n", 'line 2, column cost: "NaN" is no amount in USD'),
        ("day,model,cost\n2026-11-02,a,1e99\n", 'line 2, column cost: "1e99" is no amount in USD'),
        ('day;model;cost\n2026-11-02;a;"1,5"\n', 'line 2, column cost: "1,5" is no amount in USD'),
        ("day,model,cost,tokens\n2026-11-02,a,1,-5\n", 'line 2, column tokens: "-5" is no number of tokens'),
        (
            "day,model,cost,currency\n2026-11-02,a,1,EUR\n",
            'line 2, column currency: "EUR" is no currency that can be compared: expected USD',
        ),
        (
            'day,model,cost\n2026-11-02,"a\nb",1\n2026-11-02,c,x\n',
            'line 4, column cost: "x" is no amount in USD',
        ),
        ('day,model,cost\n2026-11-02,a,1\n2026-11-02,"a"b,1\n', "line 3: this is no CSV (',' expected after '\"')"),
    ],
)
def test_a_bad_line_is_named(text: str, message: str) -> None:
    """With its number and the column's own name, and what was expected there."""
    with pytest.raises(BadInvoice) as refused:
        read(text)
    assert str(refused.value) == message


NAME = st.text(st.characters(exclude_characters="\r\n,"))


@given(st.lists(st.tuples(st.integers(1, 30), NAME, st.integers(-(10**15), 10**15)), max_size=8))
def test_what_is_written_is_read(lines: list[tuple[int, str, int]]) -> None:
    """Whatever a model is called, every nano-dollar arrives."""
    out = io.StringIO()
    written = csv.writer(out)
    written.writerow(["day", "model", "cost_usd"])
    written.writerows([f"2026-11-{day:02d}", model, str(Decimal(nano) / NANO)] for day, model, nano in lines)
    assert read_invoice(out.getvalue(), "2026-11", str).charges == [
        Charge(day=f"2026-11-{day:02d}", model=model.strip(), cost=nano) for day, model, nano in lines
    ]


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """Never with another error than the one that names a line."""
    for whole in (text, f"day,model,cost,tokens\n{text}"):
        with contextlib.suppress(BadInvoice):
            assert read(whole).left_out >= 0
