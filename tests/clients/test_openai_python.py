"""The released openai package talks to the gateway as to OpenAI, whichever vendor answers."""

import base64
import json
from typing import NamedTuple

import httpx2
import pytest
from openai import (
    APIError,
    AsyncOpenAI,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    OpenAI,
)
from openai import RateLimitError as TooManyRequests
from openai.types.chat import (
    ChatCompletionContentPartImageParam,
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionMessageParam,
    ChatCompletionToolUnionParam,
)
from pydantic import BaseModel

from tests.clients.scripts import (
    AFTER_TOOL,
    CACHED_IN,
    CALL_ID,
    CITY_TOOL,
    PLAIN,
    TOKENS_IN,
    TOKENS_OUT,
    VENDOR_KEY,
    Vendor,
    model,
)
from tests.clients.vendors import VECTOR, Vendors
from tests.servers.gateway import Gateway

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello"}]
WEATHER: ChatCompletionToolUnionParam = {
    "type": "function",
    "function": {
        "name": CITY_TOOL,
        "description": "Today's weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n made up").decode()


class Person(BaseModel):
    """The shape asked for in structured output."""

    name: str
    age: int


def test_a_whole_answer_has_text_usage_and_both_ids(openai: OpenAI, vendors: Vendors, vendor: Vendor) -> None:
    """Text, tokens, the request id and the gateway's headers arrive; the vendor sees its own key, not the caller's."""
    raw = openai.chat.completions.with_raw_response.create(model=model(vendor, "plain"), messages=HELLO)
    answer = raw.parse()
    assert answer.choices[0].message.content == PLAIN.text
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (TOKENS_IN, TOKENS_OUT)
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == CACHED_IN
    assert raw.request_id == raw.headers["x-request-id"] == raw.headers["request-id"]
    assert raw.headers["x-farthing-model"] == model(vendor, "plain")
    assert raw.headers["x-farthing-provider"] == f"the-{vendor}"
    assert [asked.key for asked in vendors.asked] == [VENDOR_KEY]


async def test_a_stream_joins_to_the_text_with_usage_if_asked(async_openai: AsyncOpenAI, vendor: Vendor) -> None:
    """The last chunk alone reports usage, and has no choices."""
    stream = await async_openai.chat.completions.create(
        model=model(vendor, "plain"), messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == PLAIN.text
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == ["stop"]
    assert [bool(chunk.usage) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (TOKENS_IN, TOKENS_OUT)


def test_a_stream_without_asking_reports_no_usage(openai: OpenAI, vendor: Vendor) -> None:
    """No chunk is without choices."""
    stream = openai.chat.completions.create(model=model(vendor, "plain"), messages=HELLO, stream=True)
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == PLAIN.text
    assert {chunk.usage for chunk in chunks} == {None}


async def test_the_stream_helper_assembles_a_tool_call(async_openai: AsyncOpenAI, vendor: Vendor) -> None:
    """Arguments that came in pieces are whole JSON again."""
    async with async_openai.chat.completions.stream(
        model=model(vendor, "tools"), messages=HELLO, tools=[WEATHER]
    ) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].finish_reason == "tool_calls"
    assert final.choices[0].message.tool_calls is not None
    [call] = final.choices[0].message.tool_calls
    assert (call.id, call.function.name, json.loads(call.function.arguments)) == (
        CALL_ID,
        CITY_TOOL,
        {"city": "Zürich"},
    )


def test_a_tool_is_called_and_its_result_answered(openai: OpenAI, vendors: Vendors, vendor: Vendor) -> None:
    """The whole round trip: the call out, the result in, the text back."""
    first = openai.chat.completions.create(
        model=model(vendor, "tools"), messages=HELLO, tools=[WEATHER], tool_choice="required"
    )
    assert first.choices[0].finish_reason == "tool_calls"
    [call] = first.choices[0].message.tool_calls or []
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    assert json.loads(call.function.arguments) == {"city": "Zürich"}
    asked: ChatCompletionMessageParam = {
        "role": "assistant",
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
        ],
    }
    result: ChatCompletionMessageParam = {"role": "tool", "tool_call_id": call.id, "content": "18"}
    second = openai.chat.completions.create(
        model=model(vendor, "tools"), messages=[*HELLO, asked, result], tools=[WEATHER]
    )
    assert second.choices[0].message.content == AFTER_TOOL.text
    said = json.dumps(vendors.asked[1].body["messages"][-1], ensure_ascii=False)
    assert CALL_ID in said
    assert '"18"' in said


def test_structured_output_is_parsed(openai: OpenAI, vendors: Vendors, vendor: Vendor) -> None:
    """The schema reaches the vendor in its own dialect, and the answer fits it."""
    answer = openai.chat.completions.parse(model=model(vendor, "json"), messages=HELLO, response_format=Person)
    assert answer.choices[0].message.parsed == Person(name="Ada", age=36)
    body = vendors.asked[0].body
    shape = body["response_format"]["json_schema"] if vendor == "openai" else body["output_config"]["format"]
    assert sorted(shape["schema"]["properties"]) == ["age", "name"]


def test_images_reach_the_vendor(openai: OpenAI, vendors: Vendors, vendor: Vendor) -> None:
    """Inline bytes and an address arrive in the vendor's own shape."""
    urls = [f"data:image/png;base64,{PIXEL}", "https://example.com/cat.png"]
    pictures: list[ChatCompletionContentPartImageParam] = [
        {"type": "image_url", "image_url": {"url": url}} for url in urls
    ]
    message: ChatCompletionMessageParam = {"role": "user", "content": [{"type": "text", "text": "Compare"}, *pictures]}
    openai.chat.completions.create(model=model(vendor, "plain"), messages=[message])
    parts = vendors.asked[0].body["messages"][0]["content"]
    if vendor == "openai":
        assert [part["image_url"]["url"] for part in parts[1:]] == urls
    else:
        assert [part["source"] for part in parts[1:]] == [
            {"type": "base64", "media_type": "image/png", "data": PIXEL},
            {"type": "url", "url": urls[1]},
        ]


def test_auto_is_answered_by_a_real_model(openai: OpenAI) -> None:
    """A virtual model is asked for like any other."""
    raw = openai.chat.completions.with_raw_response.create(model="auto", messages=HELLO)
    assert raw.headers["x-farthing-strategy"] == "hybrid"
    assert raw.headers["x-farthing-provider"] in {"the-openai", "the-anthropic"}


def test_models_are_listed_and_found(openai: OpenAI, gateway: Gateway) -> None:
    """The virtual ones among them; an unknown one is not found."""
    names = [listed.id for listed in openai.models.list()]
    assert {"auto", "farthing/hybrid", "openai-plain", "anthropic-tools", "openai-embeds"} <= set(names)
    assert openai.models.retrieve("anthropic-tools").id == "anthropic-tools"
    with pytest.raises(NotFoundError):
        openai.models.retrieve("nope")


@pytest.mark.parametrize("encoding", ["float", None])
def test_embeddings_pass_through(openai: OpenAI, vendors: Vendors, encoding: str | None) -> None:
    """As numbers, and in the packed form that the client asks for by default."""
    inputs = ["one", "two"]
    if encoding == "float":
        answer = openai.embeddings.create(model="openai-embeds", input=inputs, encoding_format="float")
    else:
        answer = openai.embeddings.create(model="openai-embeds", input=inputs)
    assert [item.embedding for item in answer.data] == [list(VECTOR)] * 2
    assert answer.usage.prompt_tokens == 5
    assert vendors.asked[0].body == {"model": "embeds", "input": inputs, "encoding_format": encoding or "base64"}


def test_an_unknown_model_is_not_found(openai: OpenAI, vendors: Vendors) -> None:
    """The typed error carries OpenAI's code and parameter."""
    with pytest.raises(NotFoundError) as refused:
        openai.chat.completions.create(model="nope", messages=HELLO)
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
    assert refused.value.request_id
    assert vendors.asked == []


def test_a_wrong_parameter_is_named(openai: OpenAI, vendors: Vendors) -> None:
    """Nothing reaches a vendor, and the error says which parameter it was."""
    with pytest.raises(BadRequestError) as refused:
        openai.chat.completions.create(model="openai-plain", messages=HELLO, temperature=9)
    assert refused.value.param == "temperature"
    assert refused.value.type == "invalid_request_error"
    assert vendors.asked == []


@pytest.mark.parametrize("key", ["sk-farthing-wrong", "another"])
def test_a_wrong_key_is_no_entry(gateway: Gateway, vendors: Vendors, key: str) -> None:
    """Chat and the list of models are refused alike."""
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=key) as stranger:
        with pytest.raises(AuthenticationError) as refused:
            stranger.chat.completions.create(model="openai-plain", messages=HELLO)
        with pytest.raises(AuthenticationError):
            stranger.models.list()
    assert refused.value.code == "invalid_api_key"
    assert key not in refused.value.message
    assert vendors.asked == []


class Refusal(NamedTuple):
    """What a vendor's script becomes: an error, its status, and how often the vendor was asked."""

    script: str
    error: type[APIError]
    status: int
    calls: int


@pytest.mark.parametrize(
    "case",
    [
        Refusal("rejects", BadRequestError, 400, 1),
        Refusal("unauthorized", InternalServerError, 502, 1),
        Refusal("limits", TooManyRequests, 429, 1),
        Refusal("overloaded", InternalServerError, 503, 2),
    ],
    ids=lambda case: case.script,
)
def test_a_vendors_refusal_is_typed_and_not_multiplied(
    openai: OpenAI, vendors: Vendors, vendor: Vendor, case: Refusal
) -> None:
    """The vendor's key problem is not the caller's; the client does not retry on top of the gateway."""
    with pytest.raises(case.error) as refused:
        openai.chat.completions.create(model=model(vendor, case.script), messages=HELLO)
    response = getattr(refused.value, "response", None)
    assert isinstance(response, httpx2.Response)
    assert response.status_code == case.status
    assert VENDOR_KEY not in str(refused.value)
    assert len(vendors.asked) == case.calls


def test_a_stream_that_breaks_off_raises(openai: OpenAI, vendor: Vendor) -> None:
    """What came before the break is there, and then an error instead of an end."""
    said: list[str] = []
    stream = openai.chat.completions.create(model=model(vendor, "breaks"), messages=HELLO, stream=True)
    with pytest.raises(APIError):
        said.extend(chunk.choices[0].delta.content or "" for chunk in stream)
    assert "".join(said) == PLAIN.pieces[0]
