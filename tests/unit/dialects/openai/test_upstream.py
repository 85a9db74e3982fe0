"""Requests to vendors who speak chat completions: passed through, translated, and relayed back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import structs

from farthing.dialects import INBOUND, UPSTREAM, strict
from farthing.domain.chat import (
    ChatRequest,
    Effort,
    Image,
    Message,
    Part,
    Reasoning,
    ResponseFormat,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Usage,
    UsageReport,
)

DIALECT = UPSTREAM["openai"]
USAGE = UsageReport(Usage(prompt=1))
SILENT = ChatRequest(model="m", messages=(), stream=True)
ASKED = structs.replace(SILENT, include_usage=True)


def passed(body: bytes, model: str) -> bytes:
    """What reaches the vendor of a caller's body."""
    tree = strict.decode(body)
    wire = DIALECT.pass_through(body, tree, INBOUND["openai"].read_request(tree), model)
    assert (wire.path, wire.headers) == ("/chat/completions", ((b"content-type", b"application/json"),))
    return wire.body


def written(model: str = "llama", **fields: object) -> dict[str, Any]:
    """The body of a translated request with these fields."""
    chat = structs.replace(ChatRequest(model="m", messages=(Message("user", (Text("x"),)),)), **fields)
    return msgspec.json.decode(DIALECT.write_request(chat, model).body, type=dict[str, Any])


def messages(*parts: Part, role: str = "user") -> object:
    """The wire messages of one message with these parts."""
    return written(messages=(Message(role, parts),))["messages"]  # type: ignore[arg-type]


def test_the_same_model_gets_the_same_bytes() -> None:
    """A body that needs no change is not even copied."""
    body = '{ "model":"m" ,"messages": [{"role":"user","content":"\\u00e9 é"}],\n "x":[1.50,1E2,"\\/",{}] }'.encode()
    assert passed(body, "m") is body
    asked = body[:-1] + b', "stream":true,"stream_options":{"include_usage":true}}'
    assert passed(asked, "m") is asked


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b'{"model": "m", "messages":[{"role":"user","content":"\\"model\\": \\"m\\""}]}',
            b'{"model": "up/m", "messages":[{"role":"user","content":"\\"model\\": \\"m\\""}]}',
        ),
        (
            b'{"messages":[{"role":"user","content":"x"}],"model":"up/m","stream":true }',
            (
                b'{"messages":[{"role":"user","content":"x"}],"model":"up/m","stream":true,'
                b'"stream_options":{"include_usage":true} }'
            ),
        ),
        (
            b'{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"a":1}}',
            (
                b'{"model":"up/m","messages":[{"role":"user","content":"x"}],"stream":true,'
                b'"stream_options":{"a":1,"include_usage":true}}'
            ),
        ),
        (
            b'{"model":"up/m","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":null}',
            (
                b'{"model":"up/m","messages":[{"role":"user","content":"x"}],"stream":true,'
                b'"stream_options":{"include_usage":true}}'
            ),
        ),
    ],
    ids=["model", "usage", "both", "null"],
)
def test_only_the_model_and_the_wish_for_usage_are_changed(body: bytes, expected: bytes) -> None:
    """Every other byte is the caller's own."""
    assert passed(body, "up/m") == expected


def test_the_key_travels_as_a_bearer() -> None:
    """The provider's key is the only credential."""
    assert DIALECT.auth_headers("sk-1") == ((b"authorization", b"Bearer sk-1"),)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("llama-4-8b", "max_tokens"),
        ("gpt-4o", "max_tokens"),
        ("gpt-35-turbo", "max_tokens"),
        ("openai/gpt-oss-120b", "max_tokens"),
        ("gpt-5.5", "max_completion_tokens"),
        ("openai/gpt-5.5-mini", "max_completion_tokens"),
        ("o3", "max_completion_tokens"),
    ],
)
def test_the_limit_has_the_name_that_the_model_knows(model: str, name: str) -> None:
    """OpenAI's newer models refuse the older name, other vendors know nothing else."""
    body = written(model, max_tokens=5)
    assert {key: value for key, value in body.items() if key.startswith("max_")} == {name: 5}


@pytest.mark.parametrize(
    ("model", "fields", "effort"),
    [
        ("gpt-5.5", {"reasoning_effort": "xhigh"}, "xhigh"),
        ("gpt-5.5", {"reasoning_effort": "none", "reasoning_tokens": 5_000}, "none"),
        ("gpt-5.5", {"reasoning_tokens": 1_024}, "minimal"),
        ("gpt-oss-20b", {"reasoning_tokens": 2_000}, "low"),
        ("o3", {"reasoning_tokens": 8_192}, "medium"),
        ("o3", {"reasoning_tokens": 8_193}, "high"),
        ("gpt-5.5", {}, None),
        ("gpt-4o", {"reasoning_effort": "high"}, None),
    ],
)
def test_thinking_is_asked_of_models_that_think(model: str, fields: dict[str, object], effort: Effort | None) -> None:
    """A budget becomes an effort; a model that does not know the field is not sent it."""
    assert written(model, **fields).get("reasoning_effort") == effort


def test_a_plain_request_holds_nothing_that_was_not_asked_for() -> None:
    """Vendors refuse fields they do not know."""
    assert written() == {"model": "llama", "messages": [{"role": "user", "content": "x"}]}
    assert written(top_k=5, tool_choice=ToolChoice("auto"), parallel_tool_calls=True, user="u" * 65) == written()


def test_every_option() -> None:
    """All that the domain can say of sampling, tools and shape is written in the vendor's words."""
    body = written(
        stream=True,
        temperature=0.0,
        top_p=0.5,
        stop=("a",),
        seed=0,
        n=2,
        logprobs=True,
        frequency_penalty=0.0,
        presence_penalty=1.0,
        tools=(Tool("f", "d", {"type": "object"}, strict=False), Tool("g")),
        tool_choice=ToolChoice("named", "f"),
        parallel_tool_calls=False,
        response_format=ResponseFormat("json_schema", None, {"type": "object"}, strict=True),
        user="u",
    )
    del body["model"], body["messages"]
    assert body == {
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [
            {
                "type": "function",
                "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": False},
            },
            {"type": "function", "function": {"name": "g"}},
        ],
        "temperature": 0.0,
        "top_p": 0.5,
        "stop": ["a"],
        "seed": 0,
        "n": 2,
        "logprobs": True,
        "frequency_penalty": 0.0,
        "presence_penalty": 1.0,
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
        },
        "user": "u",
    }
    assert written(response_format=ResponseFormat("json_object"))["response_format"] == {"type": "json_object"}
    assert written(tools=(Tool("f"),), tool_choice=ToolChoice("required"))["tool_choice"] == "required"


def test_messages() -> None:
    """Pictures go as addresses or data URLs, tool results stand alone, thinking is not repeated."""
    assert messages(Text("a"), Image("image/png", "AA=="), Image(url="https://x/y", detail="low")) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                {"type": "image_url", "image_url": {"url": "https://x/y", "detail": "low"}},
            ],
        }
    ]
    assert messages(ToolResult("c1", "1"), ToolResult("c2", "2", is_error=True), Text("go on")) == [
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "tool", "tool_call_id": "c2", "content": "2"},
        {"role": "user", "content": "go on"},
    ]
    assert messages(Reasoning("hm"), ToolCall("c1", "f", "{}"), role="assistant") == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        }
    ]
    assert messages(Text("a"), Text("b"), role="system") == [{"role": "system", "content": "a\n\nb"}]
    assert messages(Reasoning("hm"), role="assistant") == []
