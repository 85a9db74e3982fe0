"""Requests of the Responses API in the domain's words, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from farthing.dialects import INBOUND, UPSTREAM, upstream_for
from farthing.dialects.openai.responses import inbound
from farthing.domain.chat import (
    ChatRequest,
    Image,
    Message,
    ResponseFormat,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from farthing.domain.errors import InvalidRequest

DIALECT = INBOUND["responses"]
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "look", "arguments": '{"at":1}'}
SHAPE = {"type": "object", "properties": {"a": {"type": "string"}}}


def read(**more: Any) -> ChatRequest:
    """The request in a body that says this."""
    return DIALECT.read_request({"model": "m", "input": "Hi", **more})


def said(*items: Any) -> tuple[Message, ...]:
    """The messages in an input of these items."""
    return read(input=list(items)).messages


def test_a_text_is_what_the_user_says_after_the_instructions() -> None:
    """Instructions stand first, as a message of the system's; empty ones are none."""
    assert read(instructions="Be brief").messages == (
        Message("system", (Text("Be brief"),)),
        Message("user", (Text("Hi"),)),
    )
    assert read(instructions="").messages == (Message("user", (Text("Hi"),)),)


def test_limits_and_wishes_are_read() -> None:
    """Each field that another vendor knows as well."""
    request = read(
        stream=True,
        max_output_tokens=7,
        temperature=0.5,
        top_p=0.25,
        parallel_tool_calls=False,
        reasoning={"effort": "low", "summary": "auto"},
        user="u",
        store=False,
        include=["reasoning.encrypted_content"],
        tools=[{"type": "function", "name": "look", "description": "d", "parameters": SHAPE, "strict": True}],
        tool_choice={"type": "function", "name": "look"},
        text={"format": {"type": "json_schema", "name": "n", "schema": SHAPE, "strict": True}, "verbosity": "low"},
    )
    assert request == ChatRequest(
        model="m",
        messages=(Message("user", (Text("Hi"),)),),
        stream=True,
        include_usage=True,
        max_tokens=7,
        temperature=0.5,
        top_p=0.25,
        parallel_tool_calls=False,
        reasoning_effort="low",
        user="u",
        tools=(Tool("look", "d", SHAPE, strict=True),),
        tool_choice=ToolChoice("named", "look"),
        response_format=ResponseFormat("json_schema", "n", SHAPE, strict=True),
    )


def test_items_become_turns() -> None:
    """Messages with and without a type, calls of one turn together, results, and no earlier thinking."""
    assert said(
        {"role": "developer", "content": "Rules"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Look"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"role": "assistant", "content": [{"type": "output_text", "text": "I"}, {"type": "refusal", "refusal": "no"}]},
        CALL,
        {**CALL, "call_id": "c2"},
        {"type": "function_call_output", "call_id": "c1", "output": "seen"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "too"}]},
        {"role": "user", "content": []},
        {"role": "assistant", "content": "Done"},
    ) == (
        Message("system", (Text("Rules"),)),
        Message("user", (Text("Look"),)),
        Message(
            "assistant", (Text("I"), Text("no"), ToolCall("c1", "look", '{"at":1}'), ToolCall("c2", "look", '{"at":1}'))
        ),
        Message("tool", (ToolResult("c1", "seen"),)),
        Message("tool", (ToolResult("c2", "too"),)),
        Message("assistant", (Text("Done"),)),
    )


def test_pictures_come_by_address_or_as_data() -> None:
    """With their detail; an address that leads inside is refused, as on every route."""
    part = {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "low"}
    data = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}
    [message] = said({"role": "user", "content": [part, data]})
    assert message.parts == (Image(url="https://example.com/a.png", detail="low"), Image("image/png", "iVBORw0KGgo="))
    inside = {"type": "input_image", "image_url": "http://127.0.0.1/a.png"}
    refused({"input": [{"role": "user", "content": [inside]}]}, "input[0].content[0].image_url", "url_not_allowed")
    file = {"type": "input_file", "file_url": "http://169.254.169.254/x"}
    refused({"input": [{"role": "user", "content": [file]}]}, "input[0].content[0].file_url", "url_not_allowed")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"store": True}, "store"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"include": ["reasoning.encrypted_content", "web_search_call.results"]}, "include"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tool_choice": {"type": "file_search"}}, "tool_choice"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}, "input[0].content[0]"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://example.com/f"}]}]},
            "input[0].content[0]",
        ),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}, "input[0].content[0]"),
        (
            {
                "input": [
                    CALL,
                    {
                        "type": "function_call_output",
                        "call_id": "c1",
                        "output": [{"type": "input_image", "image_url": "https://example.com/a.png"}],
                    },
                ]
            },
            "input[1].output",
        ),
    ],
)
def test_what_only_this_dialect_can_say_is_noted(more: dict[str, Any], field: str) -> None:
    """By its path: such a request passes through, and no other vendor is told a part of it."""
    request = read(**more)
    assert request.untranslatable == field
    assert request.has_unseen == (field not in {"store", "top_logprobs", "include", "tool_choice"})
    for dialect in ("openai", "anthropic", "gemini"):
        with pytest.raises(InvalidRequest, match="no counterpart") as refusal:
            UPSTREAM[dialect].write_request(request, "m")
        assert refusal.value.param == field


def test_what_the_vendor_holds_can_stand_for_the_input() -> None:
    """And a result may answer a call that only the vendor knows."""
    for name, value in (("previous_response_id", "resp_1"), ("conversation", "conv_1"), ("prompt", {"id": "p"})):
        request = DIALECT.read_request({"model": "m", name: value})
        assert (request.messages, request.has_unseen) == ((), True)
    result = {"type": "function_call_output", "call_id": "c9", "output": "x"}
    assert read(input=[result], previous_response_id="resp_1").messages == (Message("tool", (ToolResult("c9", "x"),)),)
    assert read(input=[{"type": "item_reference", "id": "i"}, result]).untranslatable == "input[0]"


def refused(more: dict[str, Any], param: str, code: str) -> None:
    """The body that says this is refused for that field."""
    with pytest.raises(InvalidRequest) as refusal:
        read(**more)
    assert (refusal.value.param, refusal.value.code) == (param, code)


@pytest.mark.parametrize(
    ("more", "param", "code"),
    [
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": []}, "input", "invalid_messages"),
        ({"input": 3}, "input", "invalid_messages"),
        ({"input": ["x"]}, "input[0]", "invalid_type"),
        ({"input": [{"content": "x"}]}, "input[0].type", "missing_required_parameter"),
        ({"input": [{"type": 3}]}, "input[0].type", "invalid_type"),
        ({"input": [{"role": "user", "content": ["x"]}]}, "input[0].content[0]", "invalid_type"),
        ({"input": [{"role": "nobody", "content": "x"}]}, "input[0].role", "invalid_value"),
        (
            {"input": [{"type": "function_call_output", "call_id": "c1", "output": "x"}]},
            "input[0].call_id",
            "invalid_value",
        ),
        ({"stream_options": {"include_obfuscation": False}}, "stream", "invalid_value"),
        ({"background": True}, "background", "unsupported_parameter"),
        ({"max_output_tokens": 0}, "max_output_tokens", "invalid_value"),
        ({"temperature": 3}, "temperature", "invalid_value"),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "missing_required_parameter"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name", "missing_required_parameter"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.name", "missing_required_parameter"),
        (
            {"text": {"format": {"type": "json_schema", "name": "n"}}},
            "text.format.schema",
            "missing_required_parameter",
        ),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": 1}}}},
            "text.format",
            "invalid_value",
        ),
        ({"api_base": "http://x"}, "api_base", "unsupported_parameter"),
    ],
)
def test_what_cannot_be_is_refused_by_its_path(more: dict[str, Any], param: str, code: str) -> None:
    """One code for each."""
    refused(more, param, code)


def test_simple_words_of_choice_and_shape() -> None:
    """`required`, `json_object` and `text`."""
    assert read(tool_choice="required").tool_choice == ToolChoice("required")
    assert read(text={"format": {"type": "json_object"}}).response_format == ResponseFormat("json_object")
    assert read(text={"format": {"type": "text"}}).response_format is None
    assert read(text={}).response_format is None
    assert read(reasoning={}).reasoning_effort is None


def test_the_body_passes_with_at_most_the_model_changed() -> None:
    """Byte for byte, in whatever way it is written."""
    body = b'{ "input" : "Hi", "model":"mine" , "whatever": [1.0]}'
    tree = json.loads(body)
    dialect = upstream_for("responses", "openai", has_responses=True)
    chat = inbound.read_request(tree)
    assert dialect.pass_through(body, tree, chat, "mine").body is body
    wire = dialect.pass_through(body, tree, chat, "theirs")
    assert wire.path == "/responses"
    assert wire.body == body.replace(b'"mine"', b'"theirs"')


def test_only_a_vendor_that_has_it_is_asked_in_it() -> None:
    """All others in their own dialect; and nobody is who did not come in by it."""
    assert upstream_for("responses", "openai", has_responses=True).name == "responses"
    assert upstream_for("responses", "openai").name == "openai"
    assert upstream_for("responses", "anthropic").name == "anthropic"
    assert upstream_for("openai", "openai", has_responses=True).name == "openai"
