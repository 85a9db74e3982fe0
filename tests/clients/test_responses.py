"""The released clients use OpenAI's Responses API and Anthropic's token counting as at their vendors."""

import json

import pytest
from anthropic import Anthropic
from anthropic import BadRequestError as AnthropicRefusal
from openai import APIError, AsyncOpenAI, BadRequestError, OpenAI
from openai.types.responses import FunctionToolParam, ResponseFunctionToolCall
from pydantic import BaseModel

from tests.clients.scripts import (
    AFTER_TOOL,
    CACHED_IN,
    CALL_ID,
    CITY_TOOL,
    COUNTED,
    NATIVE,
    PLAIN,
    TOKENS_IN,
    TOKENS_OUT,
    Vendor,
    model,
)
from tests.clients.vendors import Vendors

WEATHER: FunctionToolParam = {
    "type": "function",
    "name": CITY_TOOL,
    "description": "Today's weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}
USED = (TOKENS_IN, CACHED_IN, TOKENS_OUT)


class Person(BaseModel):
    """The shape asked for in structured output."""

    name: str
    age: int


@pytest.fixture
def name(vendor: Vendor) -> str:
    """The plain model of a vendor who must be spoken to in another dialect."""
    return model(vendor, "plain")


def test_a_whole_answer_has_text_and_usage(openai: OpenAI, name: str) -> None:
    """Translated, the same as at OpenAI."""
    answer = openai.responses.create(model=name, input="Say hello", instructions="Be brief", max_output_tokens=99)
    assert (answer.output_text, answer.status) == (PLAIN.text, "completed")
    assert answer.usage is not None
    assert (
        answer.usage.input_tokens,
        answer.usage.input_tokens_details.cached_tokens,
        answer.usage.output_tokens,
    ) == USED


async def test_the_stream_helper_assembles_a_translated_answer(async_openai: AsyncOpenAI, name: str) -> None:
    """Its events come in the order that the helper insists on."""
    async with async_openai.responses.stream(model=name, input="Say hello") as stream:
        events = [event async for event in stream]
        final = await stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert final.output_text == PLAIN.text
    assert final.usage is not None
    assert final.usage.total_tokens == TOKENS_IN + TOKENS_OUT


def test_structured_output_is_parsed(openai: OpenAI, vendor: Vendor) -> None:
    """The vendor is held to the schema, and the client parses what it says."""
    answer = openai.responses.parse(model=model(vendor, "json"), input="Who?", text_format=Person)
    assert answer.output_parsed == Person(name="Ada", age=36)


def test_a_tool_is_called_and_its_result_answered(openai: OpenAI, vendor: Vendor) -> None:
    """The whole round trip: the call out, its item and the result in, the text back; and the same as a stream."""
    asked = model(vendor, "tools")
    first = openai.responses.create(model=asked, input="Weather?", tools=[WEATHER], tool_choice="required")
    [call] = first.output
    assert isinstance(call, ResponseFunctionToolCall)
    assert (call.call_id, call.name, json.loads(call.arguments)) == (CALL_ID, CITY_TOOL, {"city": "Zürich"})
    second = openai.responses.create(
        model=asked,
        tools=[WEATHER],
        input=[
            {"role": "user", "content": "Weather?"},
            {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
            {"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"},
        ],
    )
    assert second.output_text == AFTER_TOOL.text
    with openai.responses.stream(model=asked, input="Weather?", tools=[WEATHER]) as stream:
        [streamed] = stream.get_final_response().output
    assert streamed.type == "function_call"
    assert (streamed.call_id, json.loads(streamed.arguments)) == (CALL_ID, {"city": "Zürich"})


def test_a_vendor_with_the_api_is_only_passed_on_to(openai: OpenAI, vendors: Vendors) -> None:
    """State and fields that nobody knows reach the vendor, its own come back, whole and as a stream."""
    raw = openai.responses.with_raw_response.create(
        model=NATIVE, input="Hi", previous_response_id="resp_0", extra_body={"new": [1.5]}
    )
    assert (raw.parse().id, raw.parse().output_text) == ("resp_vendor", PLAIN.text)
    assert json.loads(raw.text)["billing"] == {"payer": "developer"}
    with openai.responses.stream(model=NATIVE, input="Hi") as stream:
        final = stream.get_final_response()
    assert (final.id, final.output_text) == ("resp_vendor", PLAIN.text)
    assert [asked.path for asked in vendors.asked] == ["/openai/v1/responses"] * 2
    assert vendors.asked[0].body == {
        "model": "plain",
        "input": "Hi",
        "previous_response_id": "resp_0",
        "new": [1.5],
    }


def test_what_cannot_be_carried_over_is_refused_by_name(openai: OpenAI, vendors: Vendors, name: str) -> None:
    """400 with the field, and no vendor is asked."""
    with pytest.raises(BadRequestError) as refusal:
        openai.responses.create(model=name, input="Hi", previous_response_id="resp_0")
    assert refusal.value.param == "previous_response_id"
    with pytest.raises(BadRequestError) as refusal:
        openai.responses.create(model=name, input="Hi", tools=[{"type": "web_search"}])
    assert refusal.value.param == "tools[0]"
    assert vendors.asked == []


def test_a_stream_that_breaks_raises(openai: OpenAI, vendor: Vendor) -> None:
    """And is never taken for a whole answer."""
    stream = openai.responses.create(model=model(vendor, "breaks"), input="Hi", stream=True)
    with pytest.raises(APIError):
        list(stream)


def test_tokens_are_counted(anthropic: Anthropic, vendors: Vendors, vendor: Vendor) -> None:
    """By Anthropic for its models, by estimate and marked for all others; nobody is asked for an answer."""
    raw = anthropic.messages.with_raw_response.count_tokens(
        model=model(vendor, "plain"), messages=[{"role": "user", "content": "Say hello"}]
    )
    counted = raw.parse().input_tokens
    if vendor == "anthropic":
        assert (counted, raw.headers.get("x-farthing-estimated")) == (COUNTED, None)
    else:
        assert 4 < counted < COUNTED
        assert raw.headers["x-farthing-estimated"] == "true"
    assert [asked.path for asked in vendors.asked] == (
        ["/anthropic/v1/messages/count_tokens"] if vendor == "anthropic" else []
    )
    with pytest.raises(AnthropicRefusal):
        anthropic.messages.count_tokens(model=model(vendor, "plain"), messages=[])
