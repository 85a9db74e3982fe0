"""Requests as they are sent to Anthropic's Messages API."""

from typing import Any

import msgspec
import pytest

from farthing.dialects import strict
from farthing.dialects.anthropic import Anthropic
from farthing.domain.chat import (
    ChatRequest,
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
)
from farthing.domain.errors import InvalidRequest

DIALECT = Anthropic()
HELLO = Message("user", (Text("Hello"),))
WEATHER = Tool("get_weather", "Weather of a city", {"properties": {"city": {"type": "string"}}})
CALL = ToolCall("call_1", "get_weather", '{"city":"Paris"}')
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "minLength": 1}}}


def written(*messages: Message, model: str = "claude-opus-4-7", **fields: Any) -> dict[str, Any]:
    """The body that is sent for these messages."""
    chat = ChatRequest(model="any", messages=messages or (HELLO,), **fields)
    body: dict[str, Any] = msgspec.json.decode(DIALECT.write_request(chat, model).body)
    return body


def user(*content: Part) -> Message:
    """A turn of the user's."""
    return Message("user", content)


def assistant(*content: Part) -> Message:
    """A turn of the model's."""
    return Message("assistant", content)


def test_the_smallest_request() -> None:
    """Path, version and content type stand by the body, which asks for a default limit."""
    wire = DIALECT.write_request(ChatRequest(model="any", messages=(HELLO,)), "claude-opus-4-7")
    assert wire.path == "/v1/messages"
    assert wire.headers == ((b"content-type", b"application/json"), (b"anthropic-version", b"2023-06-01"))
    assert wire.body == (
        b'{"model":"claude-opus-4-7","max_tokens":32000,'
        b'"messages":[{"role":"user","content":[{"type":"text","text":"Hello"}]}]}'
    )
    assert DIALECT.auth_headers("k") == ((b"x-api-key", b"k"),)


def test_instructions_are_joined() -> None:
    """Every system message goes to the one place that the vendor has for them."""
    body = written(
        Message("system", (Text("One."), Text(""))), HELLO, Message("system", (Text("Two."), Image(url="u")))
    )
    assert body["system"] == "One.\n\nTwo."
    assert [turn["role"] for turn in body["messages"]] == ["user"]


def test_instructions_alone_become_the_question() -> None:
    """The vendor wants at least one turn."""
    body = written(Message("system", (Text("Say hello."),)))
    assert "system" not in body
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Say hello."}]}]


def test_turns_alternate_and_results_come_first() -> None:
    """Results and the user's next words are one turn; ids keep to the vendor's alphabet; empty texts are left out."""
    body = written(
        HELLO,
        assistant(Text(""), CALL, ToolCall("a:b/c", "get_weather", "")),
        Message("tool", (ToolResult("call_1", "Sunny"),)),
        Message("tool", (ToolResult("a:b/c", "", is_error=True),)),
        user(Image("image/png", "AAAA"), Text("And?")),
        user(Text("")),
        user(Image(url="https://example.com/cat.png")),
    )
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Paris"}},
                {"type": "tool_use", "id": "a_b_c", "name": "get_weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "Sunny"},
                {"type": "tool_result", "tool_use_id": "a_b_c", "content": "", "is_error": True},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "text", "text": "And?"},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
            ],
        },
    ]


@pytest.mark.parametrize(
    ("arguments", "sent"), [('{"a":', {"arguments": '{"a":'}), ("[1]", {"arguments": [1]}), ("", {})]
)
def test_arguments_that_are_no_object_are_wrapped(arguments: str, sent: dict[str, Any]) -> None:
    """A model's broken call must not stop the conversation."""
    body = written(HELLO, assistant(ToolCall("c", "f", arguments)))
    assert body["messages"][1]["content"][0]["input"] == sent


def test_thinking_goes_back_to_its_author_only() -> None:
    """Signed and redacted thinking is sent, other vendors' and unsigned thinking is not."""
    thoughts = (
        Reasoning("Mine.", "c2ln"),
        Reasoning("", "redacted:b3BhcXVl"),
        Reasoning("Theirs.", "gemini:c2ln"),
        Reasoning("Unsigned."),
        Text("Hi"),
    )
    assert written(HELLO, assistant(*thoughts))["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "Mine.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "b3BhcXVl"},
        {"type": "text", "text": "Hi"},
    ]


def test_other_vendors_behind_the_api_take_unsigned_thinking() -> None:
    """Only Anthropic checks signatures."""
    body = written(HELLO, assistant(Reasoning("Hm."), Text("Hi")), model="kimi-k2")
    assert body["messages"][1]["content"][0] == {"type": "thinking", "thinking": "Hm.", "signature": ""}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-opus-4-7", {}),
        ("claude-sonnet-4-5", {"temperature": 1.0, "top_k": 5}),
        ("claude-3-haiku-20240307", {"temperature": 1.0, "top_p": 0.9, "top_k": 5}),
    ],
)
def test_sampling_suits_the_generation(model: str, expected: dict[str, Any]) -> None:
    """New models refuse sampling parameters, older ones two at once; the range ends at 1."""
    body = written(model=model, temperature=1.5, top_p=0.9, top_k=5)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == expected


def test_top_p_alone_is_sent() -> None:
    """The rule against two samplers leaves one alone."""
    assert written(model="claude-sonnet-4-5", top_p=0.9)["top_p"] == 0.9


def test_plain_fields_are_sent() -> None:
    """Stop sequences that are not blank, the user, streaming and the limit."""
    body = written(stop=("END", "\n"), user="u-1", stream=True, max_tokens=7)
    assert (body["stop_sequences"], body["metadata"], body["stream"], body["max_tokens"]) == (
        ["END"],
        {"user_id": "u-1"},
        True,
        7,
    )
    assert "stop_sequences" not in written(stop=("\n",))


@pytest.mark.parametrize(
    ("choice", "parallel", "sent"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("auto"), None, {"type": "auto"}),
        (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("none"), False, {"type": "none"}),
        (ToolChoice("named", "get_weather"), None, {"type": "tool", "name": "get_weather"}),
    ],
)
def test_tools_and_their_choice_are_sent(
    choice: ToolChoice | None, parallel: bool | None, sent: dict[str, Any] | None
) -> None:
    """Schemas become objects where they do not say so, and each choice has the vendor's word."""
    tools = (WEATHER, Tool("now"))
    body = written(tools=tools, tool_choice=choice, parallel_tool_calls=parallel)
    assert body["tools"] == [
        {
            "name": "get_weather",
            "description": "Weather of a city",
            "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
        {"name": "now", "input_schema": {"type": "object"}},
    ]
    assert body.get("tool_choice") == sent


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (ToolChoice("required"), "Answer by calling one of the tools."),
        (ToolChoice("named", "get_weather"), "Answer by calling the tool `get_weather`."),
        (ToolChoice("none"), None),
    ],
)
def test_models_that_cannot_be_forced_are_asked(choice: ToolChoice, words: str | None) -> None:
    """The newest models refuse a forced tool: the demand becomes an instruction."""
    body = written(tools=(WEATHER,), tool_choice=choice, model="claude-opus-5-5")
    assert body.get("system") == words
    assert body["tool_choice"] == {"type": "none" if words is None else "auto"}
    assert "system" not in written(tool_choice=choice, model="claude-opus-5-5")


def test_a_choice_without_tools_is_left_out() -> None:
    """The vendor refuses it."""
    assert "tool_choice" not in written(tool_choice=ToolChoice("auto"))


def test_a_schema_is_enforced_where_the_model_can() -> None:
    """New models are held to the schema, older ones are asked to keep to it."""
    shape = ResponseFormat("json_schema", "place", SCHEMA)
    assert written(response_format=shape)["output_config"] == {
        "format": {
            "type": "json_schema",
            "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "additionalProperties": False},
        }
    }
    older = written(response_format=shape, model="claude-3-7-sonnet-20250219")
    assert "output_config" not in older
    assert older["system"].endswith('\n{"type":"object","properties":{"city":{"type":"string","minLength":1}}}')


def test_json_of_any_shape_is_asked_for_in_words() -> None:
    """The vendor has no mode for it."""
    body = written(Message("system", (Text("Hi."),)), HELLO, response_format=ResponseFormat("json_object"))
    assert body["system"] == "Hi.\n\nAnswer with one JSON object and nothing else."


@pytest.mark.parametrize(
    ("model", "fields", "sent"),
    [
        ("claude-opus-4-7", {"reasoning_effort": "high"}, ({"type": "adaptive"}, {"effort": "high"}, 32_000)),
        ("claude-opus-4-7", {"reasoning_effort": "none"}, (None, None, 32_000)),
        ("claude-opus-5", {"reasoning_effort": "none"}, (None, {"effort": "low"}, 32_000)),
        ("claude-opus-5", {"reasoning_tokens": 9_000}, ({"type": "adaptive"}, {"effort": "high"}, 32_000)),
        (
            "claude-sonnet-4-5",
            {"reasoning_effort": "low", "temperature": 0.5},
            ({"type": "enabled", "budget_tokens": 2_048}, None, 32_000),
        ),
        (
            "claude-sonnet-4-5",
            {"reasoning_tokens": 30_000},
            ({"type": "enabled", "budget_tokens": 30_000}, None, 60_000),
        ),
        (
            "claude-sonnet-4-5",
            {"reasoning_tokens": 30_000, "max_tokens": 5_000},
            ({"type": "enabled", "budget_tokens": 4_999}, None, 5_000),
        ),
        ("claude-sonnet-4-5", {"reasoning_tokens": 2_000, "max_tokens": 1_024}, (None, None, 1_024)),
        (
            "claude-sonnet-4-5",
            {"reasoning_tokens": 2_000, "tools": (WEATHER,), "tool_choice": ToolChoice("required")},
            (None, None, 32_000),
        ),
        ("claude-sonnet-4-5", {}, (None, None, 32_000)),
    ],
)
def test_thinking_suits_the_generation(
    model: str, fields: dict[str, Any], sent: tuple[dict[str, Any] | None, dict[str, Any] | None, int]
) -> None:
    """Newer models get an effort, older ones a budget within the limit, and none where the vendor would refuse it."""
    body = written(model=model, **fields)
    assert (body.get("thinking"), body.get("output_config"), body["max_tokens"]) == sent
    assert "temperature" not in body


def test_a_tool_loop_begun_without_thinking_goes_on_without() -> None:
    """The vendor wants signed thinking before the call that is being answered."""
    result = Message("tool", (ToolResult("call_1", "Sunny"),))
    fields = {"model": "claude-sonnet-4-5", "reasoning_effort": "low"}
    assert "thinking" not in written(HELLO, assistant(CALL), result, **fields)
    assert "thinking" in written(HELLO, assistant(Reasoning("Hm.", "c2ln"), CALL), result, **fields)
    assert "thinking" in written(result, **fields)


def test_schema_and_effort_stand_together() -> None:
    """Both live in output_config."""
    body = written(reasoning_effort="low", response_format=ResponseFormat("json_schema", "x", {"type": "string"}))
    assert body["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "string"}}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"n": 2}, "n"), ({"logprobs": True}, "logprobs"), ({"untranslatable": "tools[0]"}, "tools[0]")],
)
def test_what_the_vendor_cannot_do_is_refused(fields: dict[str, Any], param: str) -> None:
    """Silence about a wish that is not met would be a lie."""
    with pytest.raises(InvalidRequest) as caught:
        written(**fields)
    assert caught.value.param == param


BODY = (
    b'{ "model":"claude-opus-4-7", "max_tokens":9 ,\n"messages":[{"role":"user","content":"thinking \\u00e9"},'
    b'{"role":"user","content":""}],"x":{"y":[1.50,1E2]} }'
)


def passed(body: bytes, model: str) -> bytes:
    """The bytes that are sent for a caller's body."""
    tree = strict.decode(body)
    return DIALECT.pass_through(body, tree, DIALECT.read_request(tree), model).body


def test_a_body_passes_through_untouched() -> None:
    """The very same bytes are sent where the model is the caller's."""
    plain = BODY.replace(b"thinking", b"hoping")
    assert passed(BODY, "claude-opus-4-7") is BODY
    assert passed(plain, "claude-opus-4-7") is plain


def test_only_the_model_is_changed() -> None:
    """Every other byte stays as it was."""
    assert passed(BODY, "claude-opus-5") == BODY.replace(b"claude-opus-4-7", b"claude-opus-5")


def turns(body: bytes) -> list[dict[str, Any]]:
    """The turns in a body."""
    decoded: list[dict[str, Any]] = msgspec.json.decode(body)["messages"]
    return decoded


def test_thinking_that_would_be_refused_is_taken_out() -> None:
    """A conversation that another vendor's model answered before can go on at Anthropic."""
    signed = {"type": "thinking", "thinking": "Mine.", "signature": "c2ln"}
    foreign = {"type": "thinking", "thinking": "Theirs.", "signature": "gemini:c2ln"}
    unsigned = {"type": "thinking", "thinking": "Unsigned.", "signature": ""}
    hidden = {"type": "redacted_thinking", "data": "b3BhcXVl"}
    text = {"type": "text", "text": "Hi"}
    hello = {"role": "user", "content": "Hello"}
    content = [
        hello,
        {"role": "assistant", "content": [signed, hidden, foreign, unsigned, text]},
        hello,
        {"role": "assistant", "content": [foreign]},
        hello,
    ]
    body = msgspec.json.encode({"model": "claude-opus-4-7", "max_tokens": 9, "messages": content})
    assert turns(passed(body, "claude-opus-4-7")) == [
        hello,
        {"role": "assistant", "content": [signed, hidden, text]},
        hello,
        hello,
    ]
    assert turns(passed(body, "kimi-k2"))[1]["content"] == [signed, hidden, unsigned, text]
