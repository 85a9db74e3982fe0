"""Requests of the Responses API as callers write them: the fields that are checked; every other one passes unread."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from farthing.dialects.openai.wire import INT64, MAX_MESSAGES, MAX_TOOLS, Key, Name, TokenLimit

OTHER: Final = "farthing.other"
"""Stands for a type that only the vendor knows."""


class InputText(Struct, tag_field="type", tag="input_text"):
    """Text of the caller's."""

    text: str


class OutputText(Struct, tag_field="type", tag="output_text"):
    """Text of an earlier answer."""

    text: str


class Refusal(Struct, tag_field="type", tag="refusal"):
    """An earlier refusal of the model's."""

    refusal: str


class InputImage(Struct, tag_field="type", tag="input_image"):
    """A picture at an address or in a data URL, or one that the vendor keeps under `file_id`."""

    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None


class InputFile(Struct, tag_field="type", tag="input_file"):
    """A document, known to this dialect alone."""

    file_url: str | None = None


class OtherContent(Struct, tag_field="type", tag=OTHER):
    """Content that only the vendor understands."""


Content = InputText | OutputText | Refusal | InputImage | InputFile | OtherContent


class MessageItem(Struct, tag_field="type", tag="message"):
    """One turn of the conversation."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Content]


class CallItem(Struct, tag_field="type", tag="function_call"):
    """A function that an earlier answer called; `arguments` is JSON text."""

    call_id: Name
    name: Name
    arguments: str


class ResultItem(Struct, tag_field="type", tag="function_call_output"):
    """What the caller's function answered."""

    call_id: Name
    output: str | list[Content]


class ReasoningItem(Struct, tag_field="type", tag="reasoning"):
    """Thinking of an earlier answer, which belongs to the vendor that wrote it."""


class OtherItem(Struct, tag_field="type", tag=OTHER):
    """An item that only the vendor understands."""


Item = MessageItem | CallItem | ResultItem | ReasoningItem | OtherItem

ITEM_TYPES: Final = frozenset({"message", "function_call", "function_call_output", "reasoning"})
CONTENT_TYPES: Final = frozenset({"input_text", "output_text", "refusal", "input_image", "input_file"})


class ResponsesTool(Struct):
    """A tool offered to the model; only functions are known beyond this dialect."""

    type: Name
    name: Name | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ResponsesChoice(Struct):
    """A choice among the tools; only that of a function is known beyond this dialect."""

    type: Name
    name: Name | None = None


class Format(Struct):
    """The shape of the answer's text."""

    type: Literal["text", "json_object", "json_schema"]
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class TextOptions(Struct):
    """How the answer's text is to be."""

    format: Format | None = None


class ReasoningOptions(Struct):
    """How hard the model should think."""

    effort: Annotated[str, Meta(max_length=64)] | None = None


class ResponsesRequest(Struct, kw_only=True):
    """The body of `POST /v1/responses`. Its `model` is checked on its own."""

    input: str | Annotated[list[Item], Meta(min_length=1, max_length=MAX_MESSAGES)] | None = None
    instructions: str | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    max_output_tokens: TokenLimit | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    max_tool_calls: Annotated[int, Meta(ge=1, le=INT64 - 1)] | None = None
    tools: Annotated[list[ResponsesTool], Meta(max_length=MAX_TOOLS)] | None = None
    tool_choice: ResponsesChoice | Literal["auto", "none", "required"] | None = None
    parallel_tool_calls: bool | None = None
    text: TextOptions | None = None
    reasoning: ReasoningOptions | None = None
    include: Annotated[list[str], Meta(max_length=64)] | None = None
    previous_response_id: Name | None = None
    conversation: Name | dict[str, Any] | None = None
    prompt: dict[str, Any] | None = None
    store: bool | None = None
    background: bool | None = None
    user: Annotated[str, Meta(max_length=1024)] | None = None
    metadata: Annotated[dict[Key, Annotated[str, Meta(max_length=512)]], Meta(max_length=16)] | None = None
