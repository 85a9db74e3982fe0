"""Embedding requests: what may be embedded, and what it cost."""

from __future__ import annotations

from typing import Any

import pytest

from farthing.dialects import INBOUND, UPSTREAM, strict, upstream_for
from farthing.dialects.openai import embeddings
from farthing.dialects.openai.embeddings import EmbeddingRequest
from farthing.domain.chat import ChatRequest, Message, Text, Usage
from farthing.domain.errors import InvalidRequest, UpstreamInvalid

DIALECT = INBOUND["embeddings"]


def read(value: object, **fields: object) -> EmbeddingRequest:
    """The request to embed this input."""
    return embeddings.read_request({"model": "m", "input": value} | fields)


@pytest.mark.parametrize(
    ("value", "inputs", "text_length", "token_count"),
    [
        ("héllo", 1, 5, 0),
        (["a", "bc"], 2, 3, 0),
        (["a"] * 2_048, 2_048, 2_048, 0),
        ([1, 2, 2**32 - 1], 1, 0, 3),
        ([[0], [1, 2]], 2, 0, 3),
    ],
)
def test_inputs(value: object, inputs: int, text_length: int, token_count: int) -> None:
    """A text, several texts, token ids, or several lists of them."""
    assert read(value) == EmbeddingRequest(model="m", inputs=inputs, text_length=text_length, token_count=token_count)


@pytest.mark.parametrize(
    "value",
    [
        "",
        [],
        [""],
        ["a", ""],
        ["a"] * 2_049,
        [-1],
        [2**32],
        [[]],
        [[1], []],
        [[-1]],
        ["a", 1],
        [1, "a"],
        [1, [1]],
        5,
        None,
        {},
        [None],
        [True],
        [1.0],
    ],
)
def test_what_cannot_be_embedded(value: object) -> None:
    """Empty, mixed, negative or too many inputs are refused under `input`."""
    with pytest.raises(InvalidRequest) as caught:
        read(value)
    assert (caught.value.param, caught.value.code) == ("input", "invalid_value")


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"dimensions": 0}, "dimensions", "invalid_value"),
        ({"encoding_format": "hex"}, "encoding_format", "invalid_value"),
        ({"model": ""}, "model", "invalid_model"),
        ({"api_base": "http://127.0.0.1"}, "api_base", "unsupported_parameter"),
    ],
)
def test_refused_fields(fields: dict[str, object], param: str, code: str) -> None:
    """The other fields are checked, too."""
    with pytest.raises(InvalidRequest) as caught:
        read("x", **fields)
    assert (caught.value.param, caught.value.code) == (param, code)


def test_an_input_is_needed() -> None:
    """Without input nothing can be embedded."""
    with pytest.raises(InvalidRequest) as caught:
        embeddings.read_request({"model": "m"})
    assert (caught.value.param, caught.value.code) == ("input", "missing_required_parameter")


@pytest.mark.parametrize(
    ("value", "text"), [("héllo", "héllo"), (["a", "bc"], "a\nbc"), ([1, 2], "x" * 8), ([[1], [2, 3]], "x" * 12)]
)
def test_the_size_of_a_request(value: object, text: str) -> None:
    """In the domain's words the inputs are one message of about their size, and nothing is to be written."""
    request = DIALECT.read_request({"model": "m", "input": value, "user": "u"})
    assert request == ChatRequest(model="m", messages=(Message("user", (Text(text),)),), max_tokens=0, user="u")


def test_no_virtual_model_embeds() -> None:
    """Vectors of different models do not compare, so none is chosen."""
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.read_request({"model": "auto", "input": "x"})
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{ "model":"m", "input":"x" }', b'{ "model":"m", "input":"x" }'),
        (b'{ "model":"other", "input":[1] }', b'{ "model":"m", "input":[1] }'),
    ],
)
def test_the_body_goes_through(body: bytes, expected: bytes) -> None:
    """At most the model is changed."""
    tree: Any = strict.decode(body)
    wire = upstream_for("embeddings", "openai").pass_through(body, tree, DIALECT.read_request(tree), "m")
    assert (wire.path, wire.body) == ("/embeddings", expected)


def test_the_usage_of_an_answer() -> None:
    """Every token was read, none written; absurd or absent usage is None."""
    completion = upstream_for("embeddings", "openai").read_completion(
        b'{"object":"list","data":[{"embedding":"AAAA","index":0}],"usage":{"prompt_tokens":5,"total_tokens":5}}'
    )
    assert (completion.usage, completion.choices) == (Usage(prompt=5), ())
    assert embeddings.read_answer(b'{"data":[],"usage":{"prompt_tokens":-5}}') is None
    assert embeddings.read_answer(b'{"data":[]}') is None


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"<html>", b'{"data":{}}', b'{"data":' + b"[" * 100_000])
def test_what_is_no_answer(body: bytes) -> None:
    """Garbage under status 200 is an invalid answer."""
    with pytest.raises(UpstreamInvalid):
        embeddings.read_answer(body)


def test_which_vendors_embed() -> None:
    """Chat goes to every vendor in its dialect, embeddings only to those who know OpenAI's."""
    assert upstream_for("openai", "anthropic") is UPSTREAM["anthropic"]
    assert upstream_for("native", "openai") is UPSTREAM["openai"]
    for provider in ("anthropic", "gemini"):
        with pytest.raises(InvalidRequest) as caught:
            upstream_for("embeddings", provider)
        assert (caught.value.param, caught.value.code) == ("model", "unsupported_model")
