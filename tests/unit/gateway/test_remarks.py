"""What is thought of earlier answers is taken down beside a request."""

from __future__ import annotations

import pytest

from farthing.domain.errors import Unauthenticated
from farthing.domain.keys import Caller
from farthing.gateway.remarks import EACH_ROUND, MOST_WAITING, NAMELESS, TRIES, Remarks
from farthing.ports.learning import Remark
from farthing.providers.fake import answer
from tests.unit.gateway.rig import Rig, chat, completion

ANN = Caller(tenant="acme", key_id="key-1")
REMARK = Remark(request_id="r", tenant="acme", principal="key-1", grade=4)


@pytest.mark.parametrize(
    ("word", "grade", "is_correct"),
    [("1", 1, None), ("5", 5, None), ("up", 5, None), ("down", 1, None), ("correct", 5, True), ("incorrect", 1, False)],
)
def test_words_stand_for_grades(word: str, grade: int, is_correct: bool | None) -> None:
    """By whose key it is said, for the tenant of the key."""
    remarks = Remarks()
    remarks.note(ANN, {"r": word})
    assert remarks.take() == [
        (Remark(request_id="r", tenant="acme", principal="key-1", grade=grade, is_correct=is_correct), 0)
    ]


def test_who_has_no_key_says_it_once() -> None:
    """A header that is sent again is of the same nobody."""
    remarks = Remarks()
    remarks.note(Caller(tenant="acme"), {"r": "4"})
    assert [remark.principal for remark, _ in remarks.take()] == [NAMELESS]


def test_an_auditor_changes_nothing() -> None:
    """Its request is refused later; what its header says is not taken down before."""
    remarks = Remarks()
    remarks.note(Caller(tenant="acme", key_id="key-2", role="auditor"), {"r": "1"})
    assert (remarks.take(), remarks.dropped) == ([], 0)


def test_what_is_not_found_is_looked_for_again_and_then_dropped() -> None:
    """Its row may come later, but not for ever."""
    remarks = Remarks()
    for tried in range(TRIES):
        remarks.add(REMARK, tried)
        assert remarks.take() == [(REMARK, tried)]
    remarks.add(REMARK, TRIES)
    assert (remarks.take(), remarks.dropped) == ([], 1)


def test_more_than_may_wait_are_dropped() -> None:
    """And so many are written at a time."""
    remarks = Remarks()
    for _ in range(MOST_WAITING + 2):
        remarks.add(REMARK)
    assert (remarks.dropped, len(remarks.take())) == (2, EACH_ROUND)


async def test_a_request_tells_of_earlier_ones() -> None:
    """Whoever may ask may say so, and nobody else; the answer is what it would be."""
    rig = Rig([answer(completion())])
    said = {"feedback": {"earlier": "down"}}
    await rig.ask(chat(), **said)
    ((remark, _),) = rig.pipeline.remarks.take()
    assert (remark.request_id, remark.grade, remark.tenant) == ("earlier", 1, "acme")
    with pytest.raises(Unauthenticated):
        await rig.ask(chat(), key="sk-unknown", **said)
    assert rig.pipeline.remarks.take() == []
