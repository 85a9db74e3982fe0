"""What the journal writes down reads back, in this release's form and in the form of the one before."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from farthing.domain.exchange import Intent, Lines
from farthing.domain.pricing import Line
from farthing.money import record
from tests.unit.money.samples import DECISION, exchange

TREE = msgspec.json.decode(DECISION)


def test_a_decision_is_written_as_its_text() -> None:
    """Whether it is given as a tree or as text, in an intent and in a settlement."""
    written = exchange(1)
    for given in (written, replace(written, decision=TREE)):
        assert record.read(record.settled(record.written(given))) == record.Settled(written)
        opened = record.read(record.opened(Intent(exchange=given)))
        assert isinstance(opened, record.Opened)
        assert (opened.request_id, opened.exchange()) == (written.request_id, written)


def test_a_request_that_was_never_planned_has_no_decision() -> None:
    """None stays None."""
    bare = replace(exchange(1), decision=None)
    assert record.read(record.settled(bare)) == record.Settled(bare)


def test_a_journal_that_holds_the_decision_as_a_tree_is_read() -> None:
    """A release that wrote it so may have died just before this one started."""
    older = replace(exchange(1), decision=TREE)
    assert record.read(msgspec.msgpack.encode(["settled", older])) == record.Settled(older)


def test_a_stream_is_written_with_what_its_output_costs() -> None:
    """So that it can be charged for it without any settlement, and for its input alone where it said nothing."""
    lines = Lines(Line(2_500_000, 700_000), None)
    opened = record.read(record.opened(Intent(exchange=exchange(1), lines=lines)))
    assert isinstance(opened, record.Opened)
    charged = replace(exchange(1), usage=replace(exchange(1).usage, completion=5), cost=6, baseline_cost=None)
    assert (opened.exchange(), opened.exchange(5)) == (exchange(1), charged)


def test_an_intent_without_its_output_s_cost_is_read() -> None:
    """As an older release wrote it: its input is charged, whatever was said."""
    older = record.read(msgspec.msgpack.encode(["opened", exchange(1).request_id, exchange(1)]))
    assert isinstance(older, record.Opened)
    assert older.exchange(5) == exchange(1)
