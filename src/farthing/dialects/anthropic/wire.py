"""The fields of a Messages request that Farthing understands; every other field passes unread."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

MAX_MESSAGES = 10_000
MAX_TOKENS = 10_000_000
MAX_USER = 1_024
"""Characters of `metadata.user_id`."""
MAX_TOOLS = 512

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Share = Annotated[float, Meta(ge=0, le=1)]
Tokens = Annotated[int, Meta(ge=1, le=MAX_TOKENS)]


class TextBlock(Struct, frozen=True, tag="text"):
    """Plain text."""

    text: str


class Base64Source(Struct, frozen=True, tag="base64"):
    """Bytes within the request."""

    media_type: Name
    data: str


class UrlSource(Struct, frozen=True, tag="url"):
    """Bytes that the vendor fetches."""

    url: str


class FileSource(Struct, frozen=True, tag="file"):
    """Bytes that were uploaded to the vendor before."""

    file_id: str


class ImageBlock(Struct, frozen=True, tag="image"):
    """A picture."""

    source: Base64Source | UrlSource | FileSource


class DocumentBlock(Struct, frozen=True, tag="document"):
    """A document; only plain text among its sources has a meaning outside of this dialect."""

    source: dict[str, Any]
    title: str | None = None


class ToolUseBlock(Struct, frozen=True, tag="tool_use"):
    """A function call that the model asked for."""

    id: Name
    name: Name
    input: dict[str, Any]


class ThinkingBlock(Struct, frozen=True, tag="thinking"):
    """The model's own thinking, sent back."""

    thinking: str
    signature: str = ""


class RedactedThinkingBlock(Struct, frozen=True, tag="redacted_thinking"):
    """Thinking that only the vendor can read."""

    data: str


class OtherBlock(Struct, frozen=True, tag="farthing.other"):
    """A block of a type that this dialect knows nothing of; `kind` is the vendor's word for it."""

    kind: str


Content = TextBlock | ImageBlock | DocumentBlock | OtherBlock


class ToolResultBlock(Struct, frozen=True, tag="tool_result"):
    """What the caller's function answered."""

    tool_use_id: Name
    content: str | list[Content] | None = None
    is_error: bool | None = None


Block = Content | ToolUseBlock | ToolResultBlock | ThinkingBlock | RedactedThinkingBlock
BLOCK_TYPES = frozenset(
    {"text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking", "farthing.other"}
)


class InputMessage(Struct, frozen=True):
    """One turn; `system` turns are instructions given in mid-conversation."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


class OfferedTool(Struct, frozen=True):
    """A function, or one of the vendor's own tools: then `type` names it."""

    name: Name | None = None
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None


class AutoChoice(Struct, frozen=True, tag="auto"):
    """The model decides."""

    disable_parallel_tool_use: bool | None = None


class AnyChoice(Struct, frozen=True, tag="any"):
    """Some tool must be called."""

    disable_parallel_tool_use: bool | None = None


class NamedChoice(Struct, frozen=True, tag="tool"):
    """This tool must be called."""

    name: Name
    disable_parallel_tool_use: bool | None = None


class NoChoice(Struct, frozen=True, tag="none"):
    """No tool may be called."""


class ThinkingEnabled(Struct, frozen=True, tag="enabled"):
    """Thinking with a budget in tokens."""

    budget_tokens: Tokens


class ThinkingAdaptive(Struct, frozen=True, tag="adaptive"):
    """The model decides how long it thinks."""


class ThinkingBetweenTools(Struct, frozen=True, tag="between_tools"):
    """The model thinks only after tool results."""


class ThinkingDisabled(Struct, frozen=True, tag="disabled"):
    """No thinking."""


class JsonFormat(Struct, frozen=True, tag="json_schema"):
    """The answer is JSON that fits the schema."""

    schema: dict[str, Any]


class OutputConfig(Struct, frozen=True):
    """How much effort goes into the answer, and its shape."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: JsonFormat | None = None


class Metadata(Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks."""

    user_id: Annotated[str, Meta(max_length=MAX_USER)] | None = None


class MessagesRequest(Struct, frozen=True, kw_only=True):
    """The body of `POST /v1/messages`."""

    model: str
    max_tokens: Tokens
    messages: Annotated[list[InputMessage], Meta(min_length=1, max_length=MAX_MESSAGES)]
    system: str | list[TextBlock] | None = None
    temperature: Share | None = None
    top_p: Share | None = None
    top_k: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=8_191)] | None = None
    stream: bool = False
    tools: Annotated[list[OfferedTool], Meta(max_length=MAX_TOOLS)] | None = None
    tool_choice: AutoChoice | AnyChoice | NamedChoice | NoChoice | None = None
    thinking: ThinkingEnabled | ThinkingAdaptive | ThinkingBetweenTools | ThinkingDisabled | None = None
    output_config: OutputConfig | None = None
    output_format: JsonFormat | None = None
    metadata: Metadata | None = None
    mcp_servers: list[Any] | UnsetType = UNSET

    @property
    def shape(self) -> JsonFormat | None:
        """The shape of the answer, from its place or its older one."""
        if self.output_config is not None and self.output_config.format is not None:
            return self.output_config.format
        return self.output_format


class CountRequest(MessagesRequest, frozen=True, kw_only=True):
    """The body of `POST /v1/messages/count_tokens`: no limit has to be named for an answer that is not wanted."""

    max_tokens: Tokens = 1
