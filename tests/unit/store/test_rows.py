"""An exchange becomes a row, and a broken one becomes a sound one."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from farthing.domain.chat import Usage
from farthing.domain.exchange import Exchange
from farthing.store.rows import COLUMNS, mended, row, row_with_datetime, storable, tools_of
from tests.conformance.store.samples import NOON_US, exchange


def test_every_field_of_an_exchange_has_a_column() -> None:
    """Nothing that was recorded is left out of the ledger."""
    fields = {field.name for field in msgspec.structs.fields(Exchange)}
    renamed = {"created_at_us": "created_at", "user": "user_id"}
    usage = {"usage"}
    assert {renamed.get(name, name) for name in fields - usage} <= set(COLUMNS)


def test_a_row_stands_in_the_order_of_its_columns() -> None:
    """Documents are JSON text, empty ones are absent, the moment is an integer or a date."""
    one = exchange(tags={}, user="ann")
    values = dict(zip(COLUMNS, row(one), strict=True))
    assert values["request_id"] == one.request_id
    assert (values["created_at"], values["user_id"], values["prompt_tokens"]) == (NOON_US, "ann", 1)
    assert (values["savings"], values["estimated"], values["tags"]) == (700, False, None)
    assert values["attempts"] == '[{"model":"small","provider":"openai","error":null,"duration_us":7}]'
    dated = dict(zip(COLUMNS, row_with_datetime(one), strict=True))
    assert dated == values | {"created_at": datetime(2025, 12, 1, 12, tzinfo=UTC)}


def test_calls_of_the_vendors_tools_stand_with_the_try_that_made_them() -> None:
    """And come back from there; an answer from a cache made none itself."""
    used = Usage(prompt=1, web_searches=3)
    searched = exchange(usage=used)
    attempts = json.loads(dict(zip(COLUMNS, row(searched), strict=True))["attempts"])
    assert [attempt.get("web_searches") for attempt in attempts] == [*[None] * (len(attempts) - 1), 3]
    assert tools_of(attempts) == {"web_searches": 3, "file_searches": 0}
    assert dict(zip(COLUMNS, row(exchange(usage=used, attempts=())), strict=True))["attempts"] is None
    assert tools_of(json.loads(dict(zip(COLUMNS, row(exchange()), strict=True))["attempts"])) == {}
    assert tools_of(None) == {}


def test_a_decision_may_be_text_already() -> None:
    """It is kept as it is; a tree becomes the same text."""
    tree = exchange()
    text = replace(tree, decision='{"candidates":[{"model":"small","estimated_cost":5}],"metadata":{"words":3}}')
    assert row(text) == row(tree)


@pytest.mark.parametrize(
    ("text", "mend"),
    [('{"a":"x\\u0000y"}', {"a": "x\N{REPLACEMENT CHARACTER}y"}), (f'{{"a":{2**70}}}', {"a": 10**13}), ("{", None)],
)
def test_the_text_of_a_decision_is_mended(text: str, mend: object) -> None:
    """What hides behind an escape is found, and what is no JSON at all is left out."""
    assert mended(exchange(decision=text)).decision == mend


def test_a_sound_exchange_needs_no_mending() -> None:
    """It comes back equal."""
    one = exchange(attempts=())
    assert mended(one) == one


@pytest.mark.parametrize(
    ("text", "expected"), [("fine é", "fine é"), ("a\x00b", "a\N{REPLACEMENT CHARACTER}b"), ("\ud800", "?"), ("", "")]
)
def test_storable_text(text: str, expected: str) -> None:
    """What no database takes is replaced, the rest is left as it is."""
    assert storable(text) == expected


@given(text=st.text(st.characters(exclude_categories=[])), number=st.integers())
def test_whatever_is_mended_can_be_written(text: str, number: int) -> None:
    """Any text becomes UTF-8 without NUL, any number one of 64 bits."""
    broken = exchange(user=text, cost=number, decision={text: [number, {"inner": text}]}, created_at_us=abs(number))
    sound = mended(broken)
    assert sound.user is not None
    assert b"\x00" not in sound.user.encode()
    assert abs(sound.cost or 0) < 2**63
    assert msgspec.json.encode(sound.decision)
