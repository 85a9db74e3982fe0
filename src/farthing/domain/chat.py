"""The words every dialect is translated through: a chat request, its completion, and the deltas of a stream."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "other"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]


class Text(Struct, frozen=True):
    """Plain text of a message."""

    text: str


class Image(Struct, frozen=True):
    """A picture, either inline (`data`, base64, with `media_type`) or at a `url`; never both."""

    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    detail: str | None = None


class ToolCall(Struct, frozen=True):
    """A function the model wants called; `arguments` is JSON text exactly as the model wrote it."""

    id: str
    name: str
    arguments: str


class ToolResult(Struct, frozen=True):
    """What the caller's function answered to the tool call `call_id`."""

    call_id: str
    text: str
    is_error: bool = False


class Reasoning(Struct, frozen=True):
    """The model's visible thinking; `signature` proves its origin to the vendor that wrote it."""

    text: str
    signature: str | None = None


Part = Text | Image | ToolCall | ToolResult | Reasoning


class Message(Struct, frozen=True):
    """One turn of a conversation."""

    role: Role
    parts: tuple[Part, ...]


class Tool(Struct, frozen=True):
    """A function offered to the model; `parameters` is a JSON Schema object."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolChoice(Struct, frozen=True):
    """Whether the model may, must or must not call a tool; `named` forces the tool `name`."""

    mode: Literal["auto", "none", "required", "named"]
    name: str | None = None


class ResponseFormat(Struct, frozen=True):
    """The shape the text must have: any JSON object, or JSON that fits `schema`."""

    kind: Literal["json_object", "json_schema"]
    name: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class ChatRequest(Struct, frozen=True, kw_only=True):
    """What a caller asks for, whichever dialect it came in.

    Instructions to the model stand as messages of role `system`. Limits are in tokens.
    """

    model: str
    messages: tuple[Message, ...]
    stream: bool = False
    include_usage: bool = False
    """Whether the caller of a stream asked for the closing usage report."""
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    n: int = 1
    logprobs: bool = False
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: Effort | None = None
    reasoning_tokens: int | None = None
    """Budget for thinking, where the caller named one in tokens."""
    user: str | None = None
    untranslatable: str | None = None
    """Path of content that only the caller's own dialect can say: such a request passes through or is refused."""
    has_unseen: bool = False
    """Whether its vendor reads or says more than text and pictures that stand here: files, sounds, what it keeps itself
    or looks up with tools of its own."""
    weighed: int | None = None
    """Estimated tokens of all its text, where the whole was weighed; else long texts are weighed by samples."""


class Usage(Struct, frozen=True, kw_only=True, gc=False):
    """Tokens of one upstream call in disjoint classes, each in exactly one of them; and what is sold by the call."""

    prompt: int = 0
    """Input tokens charged at the full input price."""
    cached: int = 0
    """Input tokens read from the vendor's prompt cache, but for audio."""
    cached_audio: int = 0
    """Audio read from the vendor's prompt cache, which some vendors sell dearer than cached text."""
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    audio_in: int = 0
    image_in: int = 0
    completion: int = 0
    """Output tokens the caller sees as text or tool calls."""
    reasoning: int = 0
    """Output tokens spent on thinking."""
    audio_out: int = 0
    image_out: int = 0
    estimated: bool = False
    """True where the vendor did not report and the tokens were counted here, or where it also charges for tools of its
    own of which neither number nor price is known."""
    web_searches: int = 0
    """Calls of the vendor's own search of the web, which it sells by the call."""
    file_searches: int = 0
    """The same for its search of files that it keeps."""

    @property
    def is_empty(self) -> bool:
        """Whether there is not one token."""
        return not (self.prompt or self.completion or self.tokens_in or self.tokens_out)

    @property
    def tokens_in(self) -> int:
        """Everything the model read."""
        cache = self.cached + self.cached_audio + self.cache_write_5m + self.cache_write_1h
        return self.prompt + cache + self.audio_in + self.image_in

    @property
    def tokens_out(self) -> int:
        """Everything the model wrote."""
        return self.completion + self.reasoning + self.audio_out + self.image_out


class Choice(Struct, frozen=True):
    """One of the `n` alternatives of a completion."""

    parts: tuple[Part, ...]
    finish: FinishReason | None


class Completion(Struct, frozen=True, kw_only=True):
    """A whole answer. `usage` is None where the vendor reported none."""

    id: str
    model: str
    choices: tuple[Choice, ...]
    usage: Usage | None = None

    @property
    def text(self) -> str:
        """The visible text of the first choice."""
        return "".join(part.text for part in self.choices[0].parts if isinstance(part, Text)) if self.choices else ""

    @property
    def is_complete(self) -> bool:
        """Whether every choice ended by the model's own will with nothing left to do: the only kind worth keeping."""
        for choice in self.choices:
            if choice.finish != "stop":
                return False
        return bool(self.choices)


class Started(Struct, frozen=True, gc=False):
    """First word of a stream: the vendor's id and model."""

    id: str
    model: str


class TextDelta(Struct, frozen=True, gc=False):
    """More visible text of one choice."""

    text: str
    choice: int = 0


class ReasoningDelta(Struct, frozen=True, gc=False):
    """More thinking of one choice; a signature closes the block it belongs to."""

    text: str
    signature: str | None = None
    choice: int = 0


class ToolCallDelta(Struct, frozen=True, gc=False):
    """More of the tool call number `position`; the first one carries `id` and `name`."""

    position: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    choice: int = 0


class Finished(Struct, frozen=True, gc=False):
    """Why one choice ended."""

    reason: FinishReason
    choice: int = 0


class UsageReport(Struct, frozen=True, gc=False):
    """The tokens counted so far; the last report of a stream stands."""

    usage: Usage


class Completed(Struct, frozen=True, gc=False):
    """The dialect's own end mark: without it a stream is broken."""


Delta = Started | TextDelta | ReasoningDelta | ToolCallDelta | Finished | UsageReport | Completed
