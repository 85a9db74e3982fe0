"""Chat requests of callers: what they mean, and what is refused with which path and code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.dialects import INBOUND
from farthing.domain.chat import (
    ChatRequest,
    Image,
    Message,
    Reasoning,
    ResponseFormat,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from farthing.domain.errors import InvalidRequest

Tree = dict[str, object]

USER = {"role": "user", "content": "x"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
FUNCTION = {"type": "function", "function": {"name": "f"}}
DIALECT = INBOUND["openai"]


def read(**fields: object) -> ChatRequest:
    """The request with these fields beside a model and one message."""
    return DIALECT.read_request({"model": "m", "messages": [USER]} | fields)


def conversation(*messages: object) -> ChatRequest:
    """The request of this conversation."""
    return read(messages=list(messages))


def schema_format(schema: object) -> Tree:
    """A response format that asks for this schema."""
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}}


plain_fields = st.fixed_dictionaries(
    {},
    optional={
        "stream": st.booleans() | st.none(),
        "max_tokens": st.integers(1, 10_000) | st.none(),
        "temperature": st.floats(0, 2) | st.none(),
        "top_p": st.floats(0, 1),
        "user": st.text(max_size=10),
        "messages": st.lists(
            st.sampled_from(
                [
                    USER,
                    {"role": "system", "content": [{"type": "text", "text": "s"}]},
                    {"role": "assistant", "content": "a", "refusal": "no"},
                    {"role": "assistant", "content": None, "tool_calls": [CALL]},
                    {"role": "user", "content": [{"type": "file", "file": {}}]},
                ]
            ),
            min_size=1,
        ),
    },
)


@given(plain_fields)
def test_a_request_with_few_fields_is_read_like_any_other(fields: Tree) -> None:
    """A further field that says nothing changes nothing."""
    assert read(**fields) == read(**fields, seed=None)


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"messages": []}, "messages", "invalid_messages"),
        ({"messages": {}}, "messages", "invalid_messages"),
        ({"messages": None}, "messages", "invalid_messages"),
        ({"messages": [USER] * 10_001}, "messages", "invalid_messages"),
        ({"messages": ["x"]}, "messages[0]", "invalid_type"),
        ({"messages": [{}]}, "messages[0].role", "missing_required_parameter"),
        ({"messages": [{"role": "alien", "content": "x"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "system", "content": None}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content", "invalid_value"),
        ({"messages": [USER, {"role": "assistant"}]}, "messages[1].content", "invalid_value"),
        ({"messages": [USER, {"role": "assistant", "content": []}]}, "messages[1].content", "invalid_value"),
        (
            {"messages": [USER, USER, USER, {"role": "user", "content": [{"type": "alien"}]}]},
            "messages[3].content[0].type",
            "invalid_value",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, "y"]}]},
            "messages[0].content[1]",
            "invalid_type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]},
            "messages[0].content[0].text",
            "invalid_type",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"type": "function", "function": CALL["function"]}]}]},
            "messages[0].tool_calls[0].id",
            "missing_required_parameter",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "c1", "type": "function"}]}]},
            "messages[0].tool_calls[0].function",
            "missing_required_parameter",
        ),
        (
            {"messages": [{"role": "tool", "content": "1", "tool_call_id": "c1"}]},
            "messages[0].tool_call_id",
            "invalid_value",
        ),
        (
            {"messages": [{"role": "tool", "content": "1"}]},
            "messages[0].tool_call_id",
            "missing_required_parameter",
        ),
        ({"tools": [FUNCTION] * 129}, "tools", "invalid_value"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name", "missing_required_parameter"),
        (
            {"tools": [FUNCTION, {"type": "function", "function": {"name": "f", "parameters": {"d": "x" * 2**20}}}]},
            "tools[1].function.parameters",
            "invalid_value",
        ),
        ({"functions": [{"name": "f", "parameters": {"$ref": "#"}}]}, "functions[0].parameters", "invalid_value"),
        ({"tool_choice": "maybe"}, "tool_choice", "invalid_value"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function", "missing_required_parameter"),
        ({"temperature": -1}, "temperature", "invalid_value"),
        ({"temperature": 3}, "temperature", "invalid_value"),
        ({"temperature": "1"}, "temperature", "invalid_type"),
        ({"temperature": True}, "temperature", "invalid_type"),
        ({"top_p": 1.1}, "top_p", "invalid_value"),
        ({"top_p": -0.1}, "top_p", "invalid_value"),
        ({"n": 0}, "n", "invalid_value"),
        ({"n": -1}, "n", "invalid_value"),
        ({"n": 129}, "n", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"max_tokens": -1}, "max_tokens", "invalid_value"),
        ({"max_tokens": 1.5}, "max_tokens", "invalid_type"),
        ({"max_tokens": 10**12}, "max_tokens", "invalid_value"),
        ({"max_completion_tokens": 0}, "max_completion_tokens", "invalid_value"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "max_completion_tokens", "invalid_value"),
        ({"top_logprobs": 3}, "top_logprobs", "invalid_value"),
        ({"top_logprobs": 3, "logprobs": False}, "top_logprobs", "invalid_value"),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs", "invalid_value"),
        ({"logprobs": 5}, "logprobs", "invalid_type"),
        ({"stop": ["a"] * 5}, "stop", "invalid_value"),
        ({"stop": 5}, "stop", "invalid_type"),
        ({"stop": [5]}, "stop[0]", "invalid_type"),
        ({"seed": 2**70}, "seed", "invalid_value"),
        ({"seed": 1.0}, "seed", "invalid_type"),
        ({"frequency_penalty": 2.1}, "frequency_penalty", "invalid_value"),
        ({"presence_penalty": -2.1}, "presence_penalty", "invalid_value"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream": 1}, "stream", "invalid_type"),
        ({"stream_options": {"include_usage": True}}, "stream", "invalid_value"),
        ({"stream_options": {}, "stream": False}, "stream", "invalid_value"),
        ({"response_format": {"type": "yaml"}}, "response_format", "invalid_value"),
        ({"response_format": "json"}, "response_format", "invalid_type"),
        ({"response_format": {"type": "json_schema"}}, "response_format", "missing_required_parameter"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a b"}}},
            "response_format",
            "invalid_value",
        ),
        (schema_format(5), "response_format", "invalid_type"),
        (schema_format({"type": "banana"}), "response_format", "invalid_value"),
        (schema_format({"pattern": "(a+)+$"}), "response_format", "invalid_value"),
        (schema_format({"description": "x" * 2**19}), "response_format", "invalid_value"),
        ({"user": "x" * 65_536}, "user", "invalid_value"),
        ({"user": 5}, "user", "invalid_type"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "metadata", "invalid_value"),
        ({"metadata": {"a": "x" * 65_536}}, "metadata", "invalid_value"),
        ({"metadata": {"a": {"b": "c"}}}, "metadata", "invalid_type"),
        ({"metadata": {"__class__": "x"}}, "metadata", "invalid_value"),
        ({"metadata": {"k" * 65: "x"}}, "metadata", "invalid_value"),
        ({"metadata": {"a\nb": "x"}}, "metadata", "invalid_value"),
        ({"logit_bias": {"50256": 101}}, "logit_bias", "invalid_value"),
        ({"api_base": "http://127.0.0.1:1"}, "api_base", "unsupported_parameter"),
        ({"extra_headers": {}}, "extra_headers", "unsupported_parameter"),
        ({"model": ""}, "model", "invalid_model"),
        ({"model": None}, "model", "missing_required_parameter"),
    ],
)
def test_refusals(fields: Tree, param: str, code: str) -> None:
    """Bad input is refused with the path of the field and a code."""
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    assert (caught.value.param, caught.value.code) == (param, code)
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("file:///etc/passwd", "url_not_allowed"),
        ("x", "url_not_allowed"),
        ("data:text/html;base64,AA==", "invalid_image"),
        ("data:image/png,AA==", "invalid_image"),
        ("data:image/png;base64,", "invalid_image"),
    ],
)
def test_pictures_are_shown_by_address_or_whole(url: str, code: str) -> None:
    """A picture's address is http or a data URL of an image; anything else is refused under its path."""
    for wired, suffix in (({"url": url}, ".url"), (url, "")):
        with pytest.raises(InvalidRequest) as caught:
            conversation({"role": "user", "content": [{"type": "image_url", "image_url": wired}]})
        assert (caught.value.param, caught.value.code) == (f"messages[0].content[0].image_url{suffix}", code)


def test_the_smallest_request() -> None:
    """Model and one message are enough, and null is the same as nothing."""
    expected = ChatRequest(model="m", messages=(Message("user", (Text("x"),)),))
    assert read() == expected
    optional = ("temperature", "n", "stream", "stream_options", "stop", "tools", "metadata", "max_tokens", "seed")
    assert read(**dict.fromkeys(optional)) == expected
    assert read(unknown_field={"z": 1}, metadata={"a": "b"}, store=True, response_format={"type": "text"}) == expected


def test_every_field() -> None:
    """Each field the domain knows is carried over."""
    request = read(
        stream=True,
        stream_options={"include_usage": True},
        max_completion_tokens=7,
        temperature=0.5,
        top_p=1,
        top_k=40,
        stop=["a", "b"],
        seed=-(2**63),
        n=2,
        logprobs=True,
        top_logprobs=20,
        frequency_penalty=-2,
        presence_penalty=2,
        tools=[{"type": "function", "function": {"name": "f", "description": "d", "parameters": {}, "strict": True}}],
        tool_choice="required",
        parallel_tool_calls=False,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
        },
        reasoning_effort="xhigh",
        user="u",
    )
    assert request == ChatRequest(
        model="m",
        messages=(Message("user", (Text("x"),)),),
        stream=True,
        include_usage=True,
        max_tokens=7,
        temperature=0.5,
        top_p=1.0,
        top_k=40,
        stop=("a", "b"),
        seed=-(2**63),
        n=2,
        logprobs=True,
        frequency_penalty=-2.0,
        presence_penalty=2.0,
        tools=(Tool("f", "d", {}, strict=True),),
        tool_choice=ToolChoice("required"),
        parallel_tool_calls=False,
        response_format=ResponseFormat("json_schema", "n", {"type": "object"}, strict=True),
        reasoning_effort="xhigh",
        user="u",
    )


@pytest.mark.parametrize(
    ("fields", "attribute", "value"),
    [
        ({"max_tokens": 10_000_000}, "max_tokens", 10_000_000),
        ({"stop": "end"}, "stop", ("end",)),
        ({"stream": True, "stream_options": {"include_usage": False}}, "include_usage", False),
        ({"response_format": {"type": "json_object"}}, "response_format", ResponseFormat("json_object")),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}},
            "response_format",
            ResponseFormat("json_schema", "n"),
        ),
        ({"tool_choice": "any"}, "tool_choice", ToolChoice("required")),
        ({"tool_choice": FUNCTION}, "tool_choice", ToolChoice("named", "f")),
        ({"function_call": {"name": "f"}}, "tool_choice", ToolChoice("named", "f")),
        ({"function_call": "none"}, "tool_choice", ToolChoice("none")),
        ({"functions": [{"name": "f"}]}, "tools", (Tool("f"),)),
        ({"reasoning_effort": "ludicrous"}, "reasoning_effort", None),
        ({"tools": [{"type": "web_search"}, FUNCTION]}, "untranslatable", "tools[0]"),
        ({"tool_choice": {"type": "custom", "custom": {"name": "c"}}}, "untranslatable", "tool_choice"),
        ({"modalities": ["text", "audio"]}, "untranslatable", "modalities"),
        ({"modalities": ["text"]}, "untranslatable", None),
        ({"web_search_options": {}}, "untranslatable", "web_search_options"),
        ({"logit_bias": {"5": -100}}, "untranslatable", "logit_bias"),
        ({"logit_bias": {}}, "untranslatable", None),
        ({"tools": [{"type": "web_search"}]}, "has_unseen", True),
        ({"tools": [FUNCTION], "tool_choice": {"type": "custom", "custom": {"name": "c"}}}, "has_unseen", False),
        ({"modalities": ["text", "audio"]}, "has_unseen", True),
        ({"web_search_options": {}}, "has_unseen", True),
        ({"logit_bias": {"5": -100}}, "has_unseen", False),
    ],
)
def test_forms_of_a_field(fields: Tree, attribute: str, value: object) -> None:
    """Older, shorter and vendor-only forms are understood for what they are."""
    assert getattr(read(**fields), attribute) == value


def test_a_conversation_with_tools_and_pictures() -> None:
    """Every role and part finds its counterpart, in order."""
    request = conversation(
        {"role": "system", "content": "s"},
        {"role": "developer", "content": [{"type": "text", "text": "d1"}, {"type": "text", "text": "d2"}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "what is this?"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
                {"type": "image_url", "image_url": "data:image/png;base64,AA=="},
            ],
        },
        {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [CALL]},
        {
            "role": "tool",
            "tool_call_id": "c1",
            "content": [{"type": "text", "text": "4"}, {"type": "text", "text": "2"}],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}]},
        {"role": "assistant", "refusal": "no"},
        {"role": "assistant", "content": "", "function_call": {"name": "g", "arguments": "{}"}},
        {"role": "function", "name": "g", "content": None},
    )
    assert request.untranslatable is None
    assert request.messages == (
        Message("system", (Text("s"),)),
        Message("system", (Text("d1"), Text("d2"))),
        Message(
            "user",
            (
                Text("what is this?"),
                Image(url="https://example.com/a.png", detail="low"),
                Image("image/png", "AA=="),
            ),
        ),
        Message("assistant", (Reasoning("hm"), ToolCall("c1", "f", "{}"))),
        Message("tool", (ToolResult("c1", "42"),)),
        Message("assistant", (Text("a"), Text("b"))),
        Message("assistant", (Text("no"),)),
        Message("assistant", (Text(""), ToolCall("g", "g", "{}"))),
        Message("tool", (ToolResult("g", ""),)),
    )


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (
            {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "input_audio", "input_audio": {}}]},
            "messages[0].content[1]",
        ),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, "messages[0].content[0]"),
        ({"role": "assistant", "audio": {"id": "a"}}, "messages[0].audio"),
        ({"role": "assistant", "tool_calls": [{"id": "c", "type": "custom"}]}, "messages[0].tool_calls[0]"),
    ],
)
def test_what_only_this_dialect_can_say_is_noted(message: Tree, path: str) -> None:
    """Such a request may pass through; translated it would lose content. How long it is, only its vendor knows."""
    request = conversation(message)
    assert (request.untranslatable, request.has_unseen) == (path, True)


def test_there_is_nothing_beside_the_request() -> None:
    """Only the native dialect has fields for the gateway itself."""
    assert DIALECT.extras({"model": "m"}) == {}
