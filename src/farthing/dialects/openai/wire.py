"""Chat completion requests as callers write them: the fields that are checked; every other one passes unread."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

MAX_MESSAGES = 10_000
MAX_TOKENS = 10_000_000
"""No model writes more: a larger limit is a mistake."""
MAX_TOOLS = 128
INT64 = 2**63

Name = Annotated[str, Meta(min_length=1, max_length=256)]
TokenLimit = Annotated[int, Meta(ge=1, le=MAX_TOKENS)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Key = Annotated[str, Meta(max_length=64, pattern=r"^(?!__.*__$)[^\x00-\x1f\x7f]*$")]
"""A name in `metadata`: never one that a program could take for its own attribute."""


class TextPart(Struct, tag_field="type", tag="text"):
    """Text of a message."""

    text: str


class RefusalPart(Struct, tag_field="type", tag="refusal"):
    """An earlier refusal of the model's."""

    refusal: str


class ImageUrl(Struct):
    """Where a picture is: an http address, or a data URL that holds it."""

    url: str
    detail: str | None = None


class ImagePart(Struct, tag_field="type", tag="image_url"):
    """A picture; some clients write its address without the object around it."""

    image_url: ImageUrl | str


class AudioPart(Struct, tag_field="type", tag="input_audio"):
    """Recorded speech, known to this dialect alone."""

    input_audio: dict[str, Any]


class FilePart(Struct, tag_field="type", tag="file"):
    """A document, known to this dialect alone."""

    file: dict[str, Any]


UserPart = TextPart | ImagePart | AudioPart | FilePart
Texts = str | Annotated[list[TextPart], Meta(min_length=1)]


class SystemMessage(Struct, tag_field="role", tag="system"):
    """Instructions."""

    content: Texts


class DeveloperMessage(Struct, tag_field="role", tag="developer"):
    """Instructions by their newer name."""

    content: Texts


class UserMessage(Struct, tag_field="role", tag="user"):
    """What the user says."""

    content: str | Annotated[list[UserPart], Meta(min_length=1)]


class FunctionCall(Struct):
    """The function to call; `arguments` is JSON text."""

    name: Name
    arguments: str


class WiredCall(Struct):
    """A tool call of an earlier answer."""

    id: Name
    type: str = "function"
    function: FunctionCall | None = None


class AssistantMessage(Struct, tag_field="role", tag="assistant"):
    """What the model said before."""

    content: str | list[TextPart | RefusalPart] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[WiredCall] | None = None
    function_call: FunctionCall | None = None
    audio: dict[str, Any] | None = None


class ToolMessage(Struct, tag_field="role", tag="tool"):
    """What a tool answered."""

    content: Texts
    tool_call_id: Name


class FunctionMessage(Struct, tag_field="role", tag="function"):
    """What a function answered, in the older form that names no call."""

    name: Name
    content: str | None


AnyMessage = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage


class WiredFunction(Struct):
    """A function offered to the model."""

    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class WiredTool(Struct):
    """A tool offered to the model; only functions are known beyond this dialect."""

    type: Name
    function: WiredFunction | None = None


class ChosenName(Struct):
    """The name of the tool that must be called."""

    name: Name


class ChosenTool(Struct):
    """A choice among the tools; only that of a function is known beyond this dialect."""

    type: Name
    function: ChosenName | None = None


class WiredSchema(Struct):
    """The JSON Schema an answer must fit."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class WiredFormat(Struct):
    """The shape of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: WiredSchema | None = None


class StreamOptions(Struct):
    """What a stream tells beside the answer."""

    include_usage: bool | None = None


class WiredRequest(Struct, kw_only=True):
    """The body of `POST /v1/chat/completions`. Its `model` is checked on its own."""

    messages: Annotated[list[AnyMessage], Meta(min_length=1, max_length=MAX_MESSAGES)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: TokenLimit | None = None
    max_completion_tokens: TokenLimit | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: int | None = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    seed: Annotated[int, Meta(ge=-INT64, le=INT64 - 1)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    logit_bias: dict[str, Annotated[float, Meta(ge=-100, le=100)]] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    tools: Annotated[list[WiredTool], Meta(max_length=MAX_TOOLS)] | None = None
    tool_choice: ChosenTool | Literal["auto", "none", "required", "any"] | None = None
    parallel_tool_calls: bool | None = None
    functions: Annotated[list[WiredFunction], Meta(max_length=MAX_TOOLS)] | None = None
    function_call: ChosenName | Literal["auto", "none"] | None = None
    response_format: WiredFormat | None = None
    reasoning_effort: Annotated[str, Meta(max_length=64)] | None = None
    modalities: list[str] | None = None
    web_search_options: dict[str, Any] | None = None
    user: Annotated[str, Meta(max_length=1024)] | None = None
    metadata: Annotated[dict[Key, Annotated[str, Meta(max_length=512)]], Meta(max_length=16)] | None = None
