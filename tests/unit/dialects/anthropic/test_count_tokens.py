"""Counting tokens: passed through to its vendor, estimated for all others, and never bought."""

from __future__ import annotations

import json
from typing import Any

import pytest

from farthing.dialects import INBOUND, UPSTREAM, upstream_for
from farthing.dialects.anthropic.count_tokens import estimated
from farthing.domain.chat import ChatRequest, Completion, Usage
from farthing.domain.errors import InvalidRequest
from farthing.domain.tokens import estimate_request

DIALECT = INBOUND["count_tokens"]
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "How many words are these?"}]}


def test_the_request_is_an_empty_one_in_our_words() -> None:
    """Checked as one for an answer, without a limit; nothing of it is held or routed by."""
    tree = {**ASKED, "metadata": {"user_id": "u"}}
    assert DIALECT.read_request(tree) == ChatRequest(model="m", messages=(), max_tokens=0, user="u")
    for wrong, param in (({"messages": []}, "messages"), ({"max_tokens": 0}, "max_tokens"), ({"top_k": -1}, "top_k")):
        with pytest.raises(InvalidRequest) as refusal:
            DIALECT.read_request({**ASKED, **wrong})
        assert refusal.value.param == param


def test_its_vendor_gets_the_body_and_the_caller_the_answer() -> None:
    """Byte for byte, at its own path; nothing is used."""
    dialect = upstream_for("count_tokens", "anthropic")
    body = json.dumps(ASKED).encode()
    wire = dialect.pass_through(body, ASKED, DIALECT.read_request(ASKED), "m")
    assert (wire.path, wire.body) == ("/v1/messages/count_tokens", body)
    answer = b'{"input_tokens": 14}'
    assert dialect.read_whole(answer) == (Completion(id="", model="", choices=(), usage=Usage()), answer)


def test_for_others_we_estimate() -> None:
    """What the same request for an answer would be estimated at; content of this vendor's alone is refused."""
    chat = INBOUND["anthropic"].read_request({**ASKED, "max_tokens": 9})
    assert json.loads(estimated(ASKED)) == {"input_tokens": estimate_request(chat)}
    assert upstream_for("count_tokens", "openai") is UPSTREAM["openai"]
    with pytest.raises(InvalidRequest, match="no counterpart"):
        estimated({**ASKED, "tools": [{"type": "web_search_20260209", "name": "web_search"}]})
