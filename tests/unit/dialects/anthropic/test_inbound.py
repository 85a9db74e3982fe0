"""What callers of the Messages API may send, and what becomes of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.dialects.anthropic import Anthropic
from farthing.domain.chat import (
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

DIALECT = Anthropic()
HELLO = {"role": "user", "content": "Hello"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "get_weather", "description": "Weather of a city", "input_schema": SCHEMA}


def body(*turns: object, **fields: object) -> dict[str, Any]:
    """A request with these turns and further fields."""
    return {"model": "claude-opus-4-7", "max_tokens": 100, "messages": list(turns) or [HELLO], **fields}


def blocks(*content: object, role: str = "user") -> dict[str, Any]:
    """A turn of several blocks."""
    return {"role": role, "content": list(content)}


def refusal(tree: dict[str, Any]) -> InvalidRequest:
    """The error that this request is refused with."""
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.read_request(tree)
    return caught.value


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "stream": st.booleans(),
            "temperature": st.floats(0, 1) | st.none(),
            "system": st.none() | st.just("s") | st.just([{"type": "text", "text": "s"}]),
            "metadata": st.none() | st.just({}) | st.just({"user_id": "u"}),
            "messages": st.lists(
                st.sampled_from(
                    [HELLO, blocks(PNG), blocks({"type": "text", "text": "a"}, PNG), blocks(CALL, role="assistant")]
                ),
                min_size=1,
            ),
        },
    )
)
def test_a_request_with_few_fields_is_read_like_any_other(fields: dict[str, Any]) -> None:
    """A further field that says nothing changes nothing."""
    tree = body(HELLO) | fields
    assert DIALECT.read_request(tree) == DIALECT.read_request(tree | {"top_p": None})


def test_every_plain_field_is_read() -> None:
    """Model, limits, sampling, stop sequences, streaming and user arrive as they were sent."""
    chat = DIALECT.read_request(
        body(
            HELLO,
            system="Be brief.",
            temperature=0.5,
            top_p=0.9,
            top_k=40,
            stop_sequences=["END"],
            stream=True,
            metadata={"user_id": "u-1"},
        )
    )
    assert (chat.model, chat.max_tokens, chat.temperature, chat.top_p, chat.top_k) == (
        "claude-opus-4-7",
        100,
        0.5,
        0.9,
        40,
    )
    assert (chat.stop, chat.stream, chat.include_usage, chat.user) == (("END",), True, True, "u-1")
    assert chat.messages == (Message("system", (Text("Be brief."),)), Message("user", (Text("Hello"),)))
    assert (chat.untranslatable, chat.has_unseen) == (None, False)
    assert DIALECT.extras(body()) == {}


def test_instructions_may_come_in_blocks_and_in_mid_conversation() -> None:
    """Each text of `system` is a part, and a system turn stays where it stands."""
    system = [
        {"type": "text", "text": "One.", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "Two."},
    ]
    chat = DIALECT.read_request(body(HELLO, {"role": "system", "content": "Three."}, system=system))
    assert chat.messages == (
        Message("system", (Text("One."), Text("Two."))),
        Message("user", (Text("Hello"),)),
        Message("system", (Text("Three."),)),
    )
    assert DIALECT.read_request(body(system=[])).messages == (Message("user", (Text("Hello"),)),)


def test_a_tool_round_trip_is_read_in_order() -> None:
    """Results become messages of their own, in order, and their pictures follow as the user's."""
    turns = (
        HELLO,
        blocks({"type": "text", "text": "Let me see."}, CALL, {**CALL, "id": "toolu_2"}, role="assistant"),
        blocks(
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Sunny"},
            {
                "type": "tool_result",
                "tool_use_id": "toolu_2",
                "is_error": True,
                "content": [{"type": "text", "text": "No"}, PNG, {"type": "text", "text": "luck"}],
            },
            {"type": "text", "text": "Go on."},
        ),
    )
    chat = DIALECT.read_request(body(*turns, tools=[WEATHER]))
    assert chat.messages[1:] == (
        Message(
            "assistant",
            (
                Text("Let me see."),
                ToolCall("toolu_1", "get_weather", '{"city":"Paris"}'),
                ToolCall("toolu_2", "get_weather", '{"city":"Paris"}'),
            ),
        ),
        Message("tool", (ToolResult("toolu_1", "Sunny"),)),
        Message("tool", (ToolResult("toolu_2", "No\nluck", is_error=True),)),
        Message("user", (Image("image/png", "iVBORw0KGgo="), Text("Go on."))),
    )
    assert chat.tools == (Tool("get_weather", "Weather of a city", SCHEMA),)


def test_a_result_after_text_keeps_its_place() -> None:
    """Text before a result is a message before it; a result without content is empty."""
    turns = (
        blocks(CALL, role="assistant"),
        blocks({"type": "text", "text": "Here:"}, {"type": "tool_result", "tool_use_id": "toolu_1"}),
    )
    assert DIALECT.read_request(body(*turns)).messages[1:] == (
        Message("user", (Text("Here:"),)),
        Message("tool", (ToolResult("toolu_1", ""),)),
    )


def test_thinking_is_kept_with_its_signature() -> None:
    """Signed, unsigned and redacted thinking can be told apart later."""
    turn = blocks(
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "thinking", "thinking": "Unsigned.", "signature": ""},
        {"type": "redacted_thinking", "data": "b3BhcXVl"},
        role="assistant",
    )
    assert DIALECT.read_request(body(turn)).messages[0].parts == (
        Reasoning("Hm.", "c2ln"),
        Reasoning("Unsigned."),
        Reasoning("", "redacted:b3BhcXVl"),
    )


def test_pictures_and_plain_documents_are_read() -> None:
    """A picture is inline or at a URL, and a document of plain text is text under its title."""
    text = {"type": "text", "media_type": "text/plain", "data": "Body"}
    turn = blocks(
        PNG,
        {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
        {"type": "document", "source": text, "title": "Title"},
        {"type": "document", "source": text},
    )
    assert DIALECT.read_request(body(turn)).messages[0].parts == (
        Image("image/png", "iVBORw0KGgo="),
        Image(url="https://example.com/cat.png"),
        Text("Title\n\nBody"),
        Text("Body"),
    )


@pytest.mark.parametrize(
    ("choice", "expected", "parallel"),
    [
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "auto", "disable_parallel_tool_use": True}, ToolChoice("auto"), False),
        ({"type": "any", "disable_parallel_tool_use": False}, ToolChoice("required"), True),
        ({"type": "tool", "name": "get_weather"}, ToolChoice("named", "get_weather"), None),
        ({"type": "none"}, ToolChoice("none"), None),
        (None, None, None),
    ],
)
def test_tool_choice_is_read(choice: dict[str, Any] | None, expected: ToolChoice | None, parallel: bool | None) -> None:
    """Each kind of choice has its word in the domain, and may forbid parallel calls."""
    chat = DIALECT.read_request(body(tools=[WEATHER], tool_choice=choice))
    assert (chat.tool_choice, chat.parallel_tool_calls) == (expected, parallel)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (None, None)),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, (None, 2048)),
        ({"thinking": {"type": "adaptive"}}, ("medium", None)),
        ({"thinking": {"type": "between_tools"}, "output_config": {"effort": "low"}}, ("low", None)),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, ("none", None)),
        ({"output_config": {"effort": "max"}}, ("xhigh", None)),
        ({"output_config": {}}, (None, None)),
    ],
)
def test_thinking_and_effort_are_read(fields: dict[str, Any], expected: tuple[str | None, int | None]) -> None:
    """A budget in tokens, an effort, and the wish for no thinking all have their words."""
    chat = DIALECT.read_request(body(**fields))
    assert (chat.reasoning_effort, chat.reasoning_tokens) == expected


@pytest.mark.parametrize("place", ["output_config", "output_format"])
def test_a_json_schema_is_read_from_both_places(place: str) -> None:
    """The shape of the answer stands in output_config.format, or in its older name."""
    shape = {"type": "json_schema", "schema": SCHEMA}
    chat = DIALECT.read_request(body(**{place: {"format": shape} if place == "output_config" else shape}))
    assert chat.response_format == ResponseFormat("json_schema", "answer", SCHEMA)


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        (body(tools=[WEATHER, {"type": "web_search_20260318", "name": "web_search"}]), "tools[1]"),
        (body(mcp_servers=[{"type": "url", "url": "https://example.com"}]), "mcp_servers"),
        (body(blocks({"type": "document", "source": {"type": "file", "file_id": "f"}})), "messages[0].content[0]"),
        (body(blocks({"type": "image", "source": {"type": "file", "file_id": "f"}})), "messages[0].content[0]"),
        (body(HELLO, blocks({"type": "server_tool_use", "id": "s"}, role="assistant")), "messages[1].content[0]"),
        (
            body(
                blocks(CALL, role="assistant"),
                blocks(
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_1",
                        "content": [{"type": "tool_reference", "tool_name": "x"}],
                    }
                ),
            ),
            "messages[1].content[0].content[0]",
        ),
    ],
)
def test_what_only_the_vendor_understands_is_noted(tree: dict[str, Any], path: str) -> None:
    """The vendor's own tools, uploads and newer blocks pass, with the path of the first; only it knows their length."""
    chat = DIALECT.read_request(tree)
    assert (chat.untranslatable, chat.has_unseen) == (path, True)


def test_only_the_first_such_thing_is_noted() -> None:
    """Blocks come before tools, and a later one does not overwrite an earlier one."""
    other = {"type": "container_upload", "file_id": "f"}
    tree = body(blocks(other, other), tools=[{"type": "memory_20250818", "name": "memory"}], mcp_servers=[{}])
    assert DIALECT.read_request(tree).untranslatable == "messages[0].content[0]"


def test_results_of_calls_hidden_in_such_blocks_pass() -> None:
    """Where a block was not understood, the call of a result may have stood in it."""
    turn = blocks({"type": "compaction", "content": "…"}, {"type": "tool_result", "tool_use_id": "toolu_9"})
    assert DIALECT.read_request(body(turn)).messages == (Message("tool", (ToolResult("toolu_9", ""),)),)


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"model": "../x"}, "model", "invalid_model"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"max_tokens": 1.5}, "max_tokens", "invalid_type"),
        ({"max_tokens": 10**12}, "max_tokens", "invalid_value"),
        ({"messages": []}, "messages", "invalid_messages"),
        ({"messages": "x"}, "messages", "invalid_messages"),
        ({"messages": [HELLO] * 10_001}, "messages", "invalid_messages"),
        ({"messages": None, "thinking": {"type": "new"}}, "messages", "invalid_messages"),
        ({"messages": [{"role": "alien", "content": "x"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
        ({"messages": [5]}, "messages[0]", "invalid_type"),
        ({"messages": [HELLO, blocks({"type": "No Type"})]}, "messages[1].content[0].type", "invalid_value"),
        ({"messages": [5, blocks({"type": "x", "y": 1})]}, "messages[0]", "invalid_type"),
        ({"messages": [blocks({"text": "x"})]}, "messages[0].content[0].type", "missing_required_parameter"),
        ({"messages": [blocks({"type": "text"})]}, "messages[0].content[0].text", "missing_required_parameter"),
        ({"messages": [blocks(5)]}, "messages[0].content[0]", "invalid_type"),
        ({"messages": [blocks(CALL)]}, "messages[0].content[0].type", "invalid_value"),
        (
            {"messages": [blocks({"type": "tool_result", "tool_use_id": "toolu_1"}, role="assistant")]},
            "messages[0].content[0].type",
            "invalid_value",
        ),
        (
            {"messages": [blocks({"type": "tool_result", "tool_use_id": "toolu_1"})]},
            "messages[0].content[0].tool_use_id",
            "invalid_value",
        ),
        ({"temperature": 1.1}, "temperature", "invalid_value"),
        ({"temperature": "1"}, "temperature", "invalid_type"),
        ({"temperature": True}, "temperature", "invalid_type"),
        ({"top_p": -0.1}, "top_p", "invalid_value"),
        ({"top_k": -1}, "top_k", "invalid_value"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream": 1}, "stream", "invalid_type"),
        ({"stop_sequences": "END"}, "stop_sequences", "invalid_type"),
        ({"tools": [{"name": "x"}]}, "tools[0].input_schema", "missing_required_parameter"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name", "missing_required_parameter"),
        ({"tools": [WEATHER] * 1000}, "tools", "invalid_value"),
        ({"tool_choice": {"type": "maybe"}}, "tool_choice.type", "invalid_value"),
        ({"tool_choice": {"type": "tool", "name": "x"}, "tools": [WEATHER]}, "tool_choice.name", "invalid_value"),
        ({"thinking": {"type": "enabled", "budget_tokens": 0}}, "thinking.budget_tokens", "invalid_value"),
        ({"thinking": {"type": "often"}}, "thinking.type", "invalid_value"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort", "invalid_value"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type", "invalid_value"),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": 5}}}},
            "output_config.format.schema",
            "invalid_value",
        ),
        ({"tools": [{**WEATHER, "input_schema": {"x": "y" * 300_000}}]}, "tools[0].input_schema", "invalid_value"),
        ({"metadata": {"user_id": "x" * 65_536}}, "metadata.user_id", "invalid_value"),
        ({"metadata": {"__class__": "x"}}, "metadata", "invalid_value"),
        ({"api_base": "http://169.254.169.254"}, "api_base", "unsupported_parameter"),
        ({"extra_headers": {}}, "extra_headers", "unsupported_parameter"),
    ],
)
def test_mistakes_are_refused_with_their_place(fields: dict[str, Any], param: str, code: str) -> None:
    """Each mistake names its field by path, and a code that programs can tell apart."""
    error = refusal({**body(), **fields})
    assert (error.status, error.param, error.code) == (400, param, code)


def test_a_missing_limit_is_refused() -> None:
    """The dialect demands max_tokens."""
    tree = body()
    del tree["max_tokens"]
    assert refusal(tree).param == "max_tokens"


def test_missing_messages_are_refused_whatever_comes_first() -> None:
    """A mistake beside it changes nothing."""
    tree = {"thinking": {"type": "often"}, "model": "m", "max_tokens": 1}
    assert refusal(tree).param == "thinking.type"


def test_unknown_fields_pass() -> None:
    """Fields that Farthing does not know are the vendor's business."""
    turn = blocks({"type": "text", "text": "x", "citations": [], "cache_control": {"type": "ephemeral", "ttl": "1h"}})
    chat = DIALECT.read_request(body(turn, service_tier="auto", context_management={"edits": []}, mcp_servers=[]))
    assert chat.untranslatable is None


@pytest.mark.parametrize("kind", ["image", "document"])
def test_an_address_must_be_public(kind: str) -> None:
    """Of a picture and of a document alike: a vendor, or a server of one's own, goes there."""
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.read_request(body(blocks({"type": kind, "source": {"type": "url", "url": "http://10.0.0.1/a"}})))
    assert (caught.value.code, caught.value.param) == ("url_not_allowed", "messages[0].content[0].source.url")
