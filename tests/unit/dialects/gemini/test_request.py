"""Requests as they are sent to Gemini's generateContent."""

from typing import Any

import msgspec
import pytest

from farthing.dialects.gemini import Gemini
from farthing.dialects.gemini.generations import thinking, version
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
)
from farthing.domain.errors import InvalidRequest

DIALECT = Gemini()
HELLO = Message("user", (Text("Hello"),))
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = Tool("get_weather", "Weather of a city", SCHEMA)
CALL = ToolCall("call_1", "get_weather", '{"city":"Paris"}')


def written(*messages: Message, model: str = "gemini-2.5-flash", **fields: Any) -> dict[str, Any]:
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
    """The model stands in the path, the key in its own header."""
    chat = ChatRequest(model="any", messages=(HELLO,))
    wire = DIALECT.write_request(chat, "gemini-2.5-flash")
    assert wire.path == "/models/gemini-2.5-flash:generateContent"
    assert wire.headers == ((b"content-type", b"application/json"),)
    assert wire.body == b'{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}'
    assert DIALECT.auth_headers("k") == ((b"x-goog-api-key", b"k"),)
    assert DIALECT.pass_through(b"{}", {}, chat, "gemini-2.5-flash") == wire


@pytest.mark.parametrize(
    ("model", "name"),
    [("models/gemini-2.5-pro", "gemini-2.5-pro"), ("a/../b?key=1#c", "a%2F..%2Fb%3Fkey%3D1%23c")],
)
def test_a_stream_has_its_own_path_and_names_are_quoted(model: str, name: str) -> None:
    """No model name reaches another address."""
    wire = DIALECT.write_request(ChatRequest(model="any", messages=(HELLO,), stream=True), model)
    assert wire.path == f"/models/{name}:streamGenerateContent?alt=sse"


def test_instructions_stand_apart() -> None:
    """Every system message is a part of the instruction; alone they become the question."""
    instruction = Message("system", (Text("One."), Text(""), Image(url="u")))
    body = written(instruction, HELLO, Message("system", (Text("Two."),)))
    assert body["systemInstruction"] == {"parts": [{"text": "One."}, {"text": "Two."}]}
    assert [turn["role"] for turn in body["contents"]] == ["user"]
    assert written(instruction) == {"contents": [{"role": "user", "parts": [{"text": "One."}]}]}


def test_a_tool_round_trip_names_the_functions() -> None:
    """Results carry the name of the call they answer, and are objects whatever the function said."""
    body = written(
        HELLO,
        assistant(Text(""), Text("Let me see."), CALL, ToolCall("call_2", "now", ""), ToolCall("call_3", "f", "[1")),
        Message("tool", (ToolResult("call_1", '{"sky":"blue"}'),)),
        Message("tool", (ToolResult("call_2", "noon"),)),
        Message("tool", (ToolResult("call_3", "broken", is_error=True),)),
        Message("tool", (ToolResult("call_9", "[1]"),)),
        user(Text("And?"), Text("")),
        user(Text("")),
    )
    assert body["contents"][1:] == [
        {
            "role": "model",
            "parts": [
                {"text": "Let me see."},
                {"functionCall": {"id": "call_1", "name": "get_weather", "args": {"city": "Paris"}}},
                {"functionCall": {"id": "call_2", "name": "now", "args": {}}},
                {"functionCall": {"id": "call_3", "name": "f", "args": {"arguments": "[1"}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "call_1", "name": "get_weather", "response": {"sky": "blue"}}},
                {"functionResponse": {"id": "call_2", "name": "now", "response": {"result": "noon"}}},
                {"functionResponse": {"id": "call_3", "name": "f", "response": {"error": "broken"}}},
                {"functionResponse": {"id": "call_9", "name": "", "response": {"result": [1]}}},
                {"text": "And?"},
            ],
        },
    ]


def test_signatures_go_back_on_the_call_they_came_with() -> None:
    """The first call after signed thinking bears the signature; other vendors' are not shown."""
    calls = (Reasoning("Hm.", "gemini:c2ln"), CALL, ToolCall("call_2", "now", "{}"))
    parts = written(HELLO, assistant(*calls))["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == ["c2ln", None]
    foreign = written(HELLO, assistant(Reasoning("Hm.", "c2ln"), Reasoning("Hm."), CALL))["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in foreign] == [None]


def test_unsigned_calls_are_marked_where_signatures_are_demanded() -> None:
    """From Gemini 3 on a call of another model's would be refused without the documented mark."""
    parts = written(HELLO, assistant(CALL, ToolCall("call_2", "now", "{}")), model="gemini-3.8-flash")["contents"][1]
    assert [part.get("thoughtSignature") for part in parts["parts"]] == ["skip_thought_signature_validator", None]


@pytest.mark.parametrize(
    ("image", "sent"),
    [
        (Image("image/png", "AAAA"), {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}),
        (
            Image(url="https://example.com/cat.JPG?size=1.png"),
            {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.com/cat.JPG?size=1.png"}},
        ),
        (Image(url="https://example.com/cat"), {"fileData": {"fileUri": "https://example.com/cat"}}),
        (
            Image("image/webp", url="https://example.com/cat"),
            {"fileData": {"mimeType": "image/webp", "fileUri": "https://example.com/cat"}},
        ),
    ],
)
def test_pictures_are_sent_inline_or_by_address(image: Image, sent: dict[str, Any]) -> None:
    """The type of a picture at an address is told where its name tells it."""
    assert written(user(image))["contents"] == [{"role": "user", "parts": [sent]}]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, None),
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("named", "get_weather"), {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}),
    ],
)
def test_tools_and_their_choice_are_sent(choice: ToolChoice | None, sent: dict[str, Any] | None) -> None:
    """Functions are declared with their JSON Schema as it is."""
    body = written(tools=(WEATHER, Tool("now", parameters={})), tool_choice=choice)
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {"name": "get_weather", "description": "Weather of a city", "parametersJsonSchema": SCHEMA},
                {"name": "now"},
            ]
        }
    ]
    assert body.get("toolConfig", {}).get("functionCallingConfig") == sent


def test_every_limit_is_sent() -> None:
    """Sampling, limits, penalties, seed and the number of candidates."""
    body = written(
        max_tokens=9,
        temperature=0.5,
        top_p=0.9,
        top_k=5,
        stop=("END",),
        n=2,
        seed=7,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        reasoning_effort="low",
        tool_choice=ToolChoice("auto"),
    )
    assert body["generationConfig"] == {
        "maxOutputTokens": 9,
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 5,
        "stopSequences": ["END"],
        "candidateCount": 2,
        "seed": 7,
        "frequencyPenalty": 0.1,
        "presencePenalty": 0.2,
        "thinkingConfig": {"thinkingBudget": 1_024, "includeThoughts": True},
    }
    assert "toolConfig" not in body


def test_json_is_asked_for_with_and_without_a_schema() -> None:
    """Any JSON, or JSON that fits."""
    assert written(response_format=ResponseFormat("json_object"))["generationConfig"] == {
        "responseMimeType": "application/json"
    }
    assert written(response_format=ResponseFormat("json_schema", "x", SCHEMA))["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    }


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"n": 9}, "n"), ({"logprobs": True}, "logprobs"), ({"untranslatable": "tools[0]"}, "tools[0]")],
)
def test_what_the_vendor_cannot_do_is_refused(fields: dict[str, Any], param: str) -> None:
    """Silence about a wish that is not met would be a lie."""
    with pytest.raises(InvalidRequest) as caught:
        written(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gemini-2.5-flash", (2, 5)),
        ("gemini-3-pro-preview", (3, 0)),
        ("gemini-4-argon", (4, 0)),
        ("gemini-flash-latest", (99, 0)),
        ("gemma-4-27b", (0, 0)),
    ],
)
def test_the_version_is_read_from_the_name(model: str, expected: tuple[int, int]) -> None:
    """An alias stands for the newest, another family has no version."""
    assert version(model) == expected


@pytest.mark.parametrize(
    ("model", "effort", "tokens", "expected"),
    [
        ("gemini-2.5-flash", None, None, None),
        ("gemini-2.0-flash", "high", None, None),
        ("gemma-4-27b", "high", None, None),
        ("gemini-2.5-flash", "none", None, {"thinkingBudget": 0}),
        ("gemini-2.5-pro", "none", None, {"thinkingBudget": 128}),
        ("gemini-2.5-flash", "xhigh", None, {"thinkingBudget": 24_576, "includeThoughts": True}),
        ("gemini-2.5-flash", None, 100_000, {"thinkingBudget": 24_576, "includeThoughts": True}),
        ("gemini-2.5-flash", "low", 300, {"thinkingBudget": 300, "includeThoughts": True}),
        ("gemini-3.8-flash", "none", None, {"thinkingLevel": "low"}),
        ("gemini-3.8-flash", "medium", None, {"thinkingLevel": "medium", "includeThoughts": True}),
        ("gemini-3.8-flash", "xhigh", None, {"thinkingLevel": "high", "includeThoughts": True}),
        ("gemini-3.8-flash", None, 1_024, {"thinkingLevel": "low", "includeThoughts": True}),
        ("gemini-3.8-flash", None, 8_192, {"thinkingLevel": "medium", "includeThoughts": True}),
        ("gemini-3.8-flash", None, 100_000, {"thinkingLevel": "high", "includeThoughts": True}),
    ],
)
def test_thinking_suits_the_generation(
    model: str, effort: Effort | None, tokens: int | None, expected: dict[str, Any] | None
) -> None:
    """Older models get a budget in their bounds, newer ones a level, and those that do not think nothing."""
    assert thinking(model, effort, tokens) == expected
