"""`POST /complete`, in and out, to the byte."""

from __future__ import annotations

import pytest

from farthing.dialects import INBOUND
from farthing.dialects.base import ReplyFacts
from farthing.domain.chat import ChatRequest, Choice, Completed, Completion, Message, Text
from farthing.domain.errors import InvalidRequest, NotFound

DIALECT = INBOUND["native"]


def test_the_smallest_request() -> None:
    """A prompt is routed by its complexity and answered in at most 1,000 tokens."""
    assert DIALECT.read_request({"prompt": "hi"}) == ChatRequest(
        model="farthing/complexity", messages=(Message("user", (Text("hi"),)),), max_tokens=1_000
    )
    assert DIALECT.extras({"prompt": "hi"}) == {"tokenizer_id": None, "experiment_id": None, "user_id": None}


def test_every_field() -> None:
    """`auto_route` leaves the choice to the configured strategy; the rest is kept for the gateway."""
    tree = {
        "prompt": "hi",
        "max_tokens": 10_000,
        "auto_route": True,
        "tokenizer_id": "cl100k",
        "experiment_id": "e1",
        "user_id": "u1",
        "unknown": 1,
    }
    assert DIALECT.read_request(tree) == ChatRequest(
        model="auto", messages=(Message("user", (Text("hi"),)),), max_tokens=10_000, user="u1"
    )
    assert DIALECT.extras(tree) == {"tokenizer_id": "cl100k", "experiment_id": "e1", "user_id": "u1"}


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"prompt": None}, "prompt", "invalid_type"),
        ({"prompt": ""}, "prompt", "invalid_value"),
        ({"prompt": 5}, "prompt", "invalid_type"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"max_tokens": 10_001}, "max_tokens", "invalid_value"),
        ({"max_tokens": 1.5}, "max_tokens", "invalid_type"),
        ({"auto_route": "yes"}, "auto_route", "invalid_type"),
        ({"user_id": ""}, "user_id", "invalid_value"),
        ({"user_id": "u" * 257}, "user_id", "invalid_value"),
        ({"tokenizer_id": 1}, "tokenizer_id", "invalid_type"),
        ({"api_key": "x"}, "api_key", "unsupported_parameter"),
    ],
)
def test_refusals(fields: dict[str, object], param: str, code: str) -> None:
    """Bad input is refused with its field and a code."""
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.read_request({"prompt": "hi"} | fields)
    assert (caught.value.param, caught.value.code) == (param, code)


def test_a_prompt_is_needed() -> None:
    """An empty object says what is missing."""
    with pytest.raises(InvalidRequest, match=r"^`prompt`: This field is required\.$") as caught:
        DIALECT.read_request({})
    assert (caught.value.param, caught.value.code) == ("prompt", "missing_required_parameter")


def test_an_answer() -> None:
    """The text stands beside what the gateway tells about it."""
    completion = Completion(id="c1", model="m", choices=(Choice((Text("hello"),), "stop"),))
    facts = ReplyFacts(request_id="r1", created_s=7, native={"cost": 0.000001, "cache_hit": False, "savings": None})
    assert (
        DIALECT.write_completion(completion, facts)
        == b'{"request_id":"r1","response":"hello","cost":1e-6,"cache_hit":false,"savings":null}'
    )
    plain = ReplyFacts(request_id="r1", created_s=7)
    assert DIALECT.write_completion(completion, plain) == b'{"request_id":"r1","response":"hello"}'


def test_errors_are_told_as_openai_tells_them() -> None:
    """Whoever asks `/complete` may read errors with the same code as beside it."""
    assert DIALECT.write_error(NotFound("Gone.", code="experiment_not_found", param="experiment_id"), "r1") == (
        b'{"error":{"message":"Gone.","type":"invalid_request_error","param":"experiment_id",'
        b'"code":"experiment_not_found"}}'
    )
    writer = DIALECT.stream_writer(DIALECT.read_request({"prompt": "hi"}), ReplyFacts(request_id="r1", created_s=7))
    assert writer.write(Completed()) == b"data: [DONE]\n\n"
