"""A body, understood once."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from farthing.dialects import INBOUND
from farthing.dialects.reading import LONGEST_NAME, Reading
from farthing.domain.errors import InvalidRequest

NATIVE, OPENAI = INBOUND["native"], INBOUND["openai"]


def question(**more: Any) -> bytes:
    """A body that both dialects take."""
    return msgspec.json.encode({"model": "m", "prompt": "?", "messages": [{"role": "user", "content": "?"}], **more})


def test_a_reading_is_what_the_dialect_reads() -> None:
    """Tree, request and extras are those of the body."""
    reading = Reading(NATIVE, question())
    assert reading.tree == msgspec.json.decode(question())
    assert reading.chat == NATIVE.read_request(reading.tree)
    assert reading.extras == {"tokenizer_id": None, "experiment_id": None, "user_id": None}


@pytest.mark.parametrize(
    ("said", "session"),
    [
        ({"prompt_cache_key": "a", "previous_response_id": "b"}, "a"),
        ({"prompt_cache_key": "", "previous_response_id": "b"}, "b"),
        ({"previous_response_id": 7}, None),
        ({"prompt_cache_key": "x" * 300}, "x" * LONGEST_NAME),
    ],
)
def test_the_conversation_has_the_name_that_the_client_gave_it(said: dict[str, Any], session: str | None) -> None:
    """The first that is a text, up to a bound."""
    assert Reading(OPENAI, question(**said)).session == session


def test_the_end_user_may_be_named_for_safety() -> None:
    """As OpenAI's clients do."""
    assert Reading(OPENAI, question(safety_identifier="u1")).safety_identifier == "u1"
    assert Reading(OPENAI, question()).safety_identifier is None


@pytest.mark.parametrize("said", ["exp-1", None, 17, "x" * LONGEST_NAME])
def test_an_experiment_is_named_to_the_gateway_alone(said: str | int | None) -> None:
    """In a vendor's dialect as in our own; what goes on to the vendor is the rest of the body, byte for byte."""
    reading = Reading(OPENAI, question(experiment_id=said))
    assert reading.extras == {"experiment_id": None if said is None else str(said)}
    assert (reading.body, reading.tree) == (question(), msgspec.json.decode(question()))
    assert Reading(OPENAI, question()).body == question()


@pytest.mark.parametrize("said", ["", True, 1.5, [], {}, "x" * (LONGEST_NAME + 1)])
def test_what_is_no_experiments_id_is_refused(said: object) -> None:
    """With what to send."""
    with pytest.raises(InvalidRequest, match="`experiment_id` must be an experiment's id") as refused:
        Reading(OPENAI, question(experiment_id=said))
    assert refused.value.param == "experiment_id"


def test_what_cannot_be_read_is_refused() -> None:
    """With the dialect's own error."""
    with pytest.raises(InvalidRequest):
        Reading(OPENAI, b"{}")


def test_a_refusal_by_complete_names_the_prompt() -> None:
    """It is what its callers call the conversation; other fields are called the same."""
    for said, own in {"messages": "prompt", "model": "model"}.items():
        body = INBOUND["native"].write_error(InvalidRequest("No.", param=said), "r1")
        assert json.loads(body)["error"]["param"] == own
