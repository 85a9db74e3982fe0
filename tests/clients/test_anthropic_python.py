"""The released anthropic package talks to the gateway as to Anthropic, whichever vendor answers."""

import base64
import json
from typing import NamedTuple

import pytest
from anthropic import (
    Anthropic,
    APIStatusError,
    AsyncAnthropic,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)
from anthropic.types import MessageParam, TextBlock, ToolParam, ToolUseBlock
from pydantic import BaseModel

from tests.clients.conftest import MASTER_KEY
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
from tests.clients.vendors import Vendors
from tests.servers.gateway import Gateway

HELLO: list[MessageParam] = [{"role": "user", "content": "Say hello"}]
SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER: ToolParam = {"name": CITY_TOOL, "description": "Today's weather", "input_schema": SCHEMA}
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n made up").decode()


class Person(BaseModel):
    """The shape asked for in structured output."""

    name: str
    age: int


def test_a_whole_answer_has_text_usage_and_both_ids(anthropic: Anthropic, vendors: Vendors, vendor: Vendor) -> None:
    """Text, tokens in Anthropic's disjoint classes, and the request id arrive; the vendor sees its own key."""
    raw = anthropic.messages.with_raw_response.create(
        model=model(vendor, "plain"), max_tokens=50, system="Be brief", messages=HELLO
    )
    answer = raw.parse()
    assert [block.text for block in answer.content if isinstance(block, TextBlock)] == [PLAIN.text]
    assert (answer.type, answer.role, answer.stop_reason) == ("message", "assistant", "end_turn")
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens) == (TOKENS_IN - CACHED_IN, CACHED_IN)
    assert answer.usage.output_tokens == TOKENS_OUT
    assert answer._request_id == raw.headers["request-id"] == raw.headers["x-request-id"]
    assert raw.headers["x-farthing-provider"] == f"the-{vendor}"
    assert [asked.key for asked in vendors.asked] == [VENDOR_KEY]


async def test_the_stream_helper_joins_text_and_usage(async_anthropic: AsyncAnthropic, vendor: Vendor) -> None:
    """Deltas join to the text, and the final message equals the whole answer."""
    async with async_anthropic.messages.stream(model=model(vendor, "plain"), max_tokens=50, messages=HELLO) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        final = await stream.get_final_message()
    assert text == PLAIN.text
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens == TOKENS_OUT
    assert (final.usage.input_tokens or 0) + (final.usage.cache_read_input_tokens or 0) == TOKENS_IN


def test_raw_events_come_in_anthropics_order(anthropic: Anthropic, vendor: Vendor) -> None:
    """Every event has its name, and the last one is the end mark."""
    stream = anthropic.messages.create(model=model(vendor, "plain"), max_tokens=50, messages=HELLO, stream=True)
    kinds = [event.type for event in stream]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


async def test_a_streamed_tool_call_is_whole_json(async_anthropic: AsyncAnthropic, vendor: Vendor) -> None:
    """Arguments that came in pieces are an object again."""
    async with async_anthropic.messages.stream(
        model=model(vendor, "tools"), max_tokens=50, messages=HELLO, tools=[WEATHER]
    ) as stream:
        final = await stream.get_final_message()
    [call] = [block for block in final.content if isinstance(block, ToolUseBlock)]
    assert (call.id, call.name, call.input) == (CALL_ID, CITY_TOOL, {"city": "Zürich"})
    assert final.stop_reason == "tool_use"


def test_a_tool_is_called_and_its_result_answered(anthropic: Anthropic, vendors: Vendors, vendor: Vendor) -> None:
    """The whole round trip: the call out, the result in, the text back."""
    first = anthropic.messages.create(
        model=model(vendor, "tools"), max_tokens=50, messages=HELLO, tools=[WEATHER], tool_choice={"type": "any"}
    )
    [call] = [block for block in first.content if isinstance(block, ToolUseBlock)]
    assert call.input == {"city": "Zürich"}
    result: MessageParam = {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "18"}],
    }
    second = anthropic.messages.create(
        model=model(vendor, "tools"),
        max_tokens=50,
        messages=[*HELLO, {"role": "assistant", "content": first.content}, result],
        tools=[WEATHER],
    )
    assert [block.text for block in second.content if isinstance(block, TextBlock)] == [AFTER_TOOL.text]
    assert CALL_ID in json.dumps(vendors.asked[1].body["messages"][-1])


def test_structured_output_is_parsed(anthropic: Anthropic, vendors: Vendors, vendor: Vendor) -> None:
    """The schema reaches the vendor in its own dialect, and the answer fits it."""
    answer = anthropic.messages.parse(model=model(vendor, "json"), max_tokens=50, messages=HELLO, output_format=Person)
    assert answer.parsed_output == Person(name="Ada", age=36)
    body = vendors.asked[0].body
    shape = body["response_format"]["json_schema"] if vendor == "openai" else body["output_config"]["format"]
    assert sorted(shape["schema"]["properties"]) == ["age", "name"]


def test_images_reach_the_vendor(anthropic: Anthropic, vendors: Vendors, vendor: Vendor) -> None:
    """Inline bytes and an address arrive in the vendor's own shape."""
    message: MessageParam = {
        "role": "user",
        "content": [
            {"type": "text", "text": "Compare"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
        ],
    }
    anthropic.messages.create(model=model(vendor, "plain"), max_tokens=50, messages=[message])
    parts = vendors.asked[0].body["messages"][0]["content"]
    if vendor == "anthropic":
        assert vendors.asked[0].body["messages"] == [message]
    else:
        urls = [f"data:image/png;base64,{PIXEL}", "https://example.com/cat.png"]
        assert [part["image_url"]["url"] for part in parts[1:]] == urls


def test_models_are_listed_in_anthropics_shape(anthropic: Anthropic) -> None:
    """The client pages through names, the virtual ones among them."""
    names = [listed.id for listed in anthropic.models.list()]
    assert {"auto", "openai-plain", "anthropic-tools"} <= set(names)
    assert anthropic.models.retrieve("anthropic-tools").type == "model"


def test_an_unknown_model_is_not_found(anthropic: Anthropic, vendors: Vendors) -> None:
    """The error has Anthropic's envelope with its type and the request's id."""
    with pytest.raises(NotFoundError) as refused:
        anthropic.messages.create(model="nope", max_tokens=50, messages=HELLO)
    assert isinstance(refused.value.body, dict)
    assert refused.value.body["type"] == "error"
    assert refused.value.body["error"]["type"] == "not_found_error"
    assert refused.value.body["request_id"] == refused.value.request_id
    assert vendors.asked == []


def test_a_wrong_parameter_is_named(anthropic: Anthropic, vendors: Vendors) -> None:
    """Nothing reaches a vendor, and the message says which parameter it was."""
    with pytest.raises(BadRequestError, match="max_tokens"):
        anthropic.messages.create(model="anthropic-plain", max_tokens=0, messages=HELLO)
    assert vendors.asked == []


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_a_key_is_taken_from_either_header(gateway: Gateway, vendors: Vendors, header: str) -> None:
    """Older clients send x-api-key, newer ones Bearer; the right key enters, a wrong one does not."""
    with Anthropic(
        base_url=gateway.url,
        auth_token=MASTER_KEY if header == "authorization" else None,
        api_key=MASTER_KEY if header == "x-api-key" else None,
    ) as known:
        assert known.messages.create(model="anthropic-plain", max_tokens=50, messages=HELLO).id
    with Anthropic(base_url=gateway.url, api_key="wrong") as stranger, pytest.raises(AuthenticationError) as refused:
        stranger.messages.create(model="anthropic-plain", max_tokens=50, messages=HELLO)
    assert isinstance(refused.value.body, dict)
    assert refused.value.body["error"]["type"] == "authentication_error"
    assert len(vendors.asked) == 1


class Refusal(NamedTuple):
    """What a vendor's script becomes: an error, its status, and how often the vendor was asked."""

    script: str
    error: type[APIStatusError]
    status: int
    calls: int


@pytest.mark.parametrize(
    "case",
    [
        Refusal("rejects", BadRequestError, 400, 1),
        Refusal("unauthorized", InternalServerError, 502, 1),
        Refusal("limits", RateLimitError, 429, 1),
        Refusal("overloaded", InternalServerError, 503, 2),
    ],
    ids=lambda case: case.script,
)
def test_a_vendors_refusal_is_typed_and_not_multiplied(
    anthropic: Anthropic, vendors: Vendors, vendor: Vendor, case: Refusal
) -> None:
    """The vendor's key problem is not the caller's; the client does not retry on top of the gateway."""
    with pytest.raises(case.error) as refused:
        anthropic.messages.create(model=model(vendor, case.script), max_tokens=50, messages=HELLO)
    assert refused.value.status_code == case.status
    assert VENDOR_KEY not in str(refused.value.body)
    assert len(vendors.asked) == case.calls


def test_a_stream_that_breaks_off_raises(anthropic: Anthropic, vendor: Vendor) -> None:
    """What came before the break is there, and then an error instead of an end."""
    said: list[str] = []
    stream = anthropic.messages.create(model=model(vendor, "breaks"), max_tokens=50, messages=HELLO, stream=True)
    with pytest.raises(APIStatusError):
        said.extend(getattr(getattr(event, "delta", None), "text", "") for event in stream)
    assert "".join(said) == PLAIN.pieces[0]
