"""Requests of the Responses API, read into the domain's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from msgspec.structs import replace

from farthing.dialects import pictures, schemas, strict
from farthing.dialects.openai import inbound
from farthing.dialects.openai.responses import wire
from farthing.domain.chat import (
    ChatRequest,
    Image,
    Message,
    Part,
    ResponseFormat,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from farthing.domain.errors import InvalidRequest

_CODES: Final = {"input": "invalid_messages"}
_FORMAT: Final = "text.format"
_STATE: Final = ("previous_response_id", "conversation", "prompt")
"""Fields that point at something which the vendor keeps, and which can stand for the input."""


def read_request(tree: Any) -> ChatRequest:
    """The request in a decoded body. Raises `InvalidRequest` with the path of the offending field."""
    model = strict.model_name(tree)
    wired = strict.read_as(_known(tree), wire.ResponsesRequest, _CODES)
    _check(wired)
    native = _native(wired)
    reader = _Reader(sees_everything=native is None or native not in _STATE)
    messages = tuple(reader.conversation(wired))
    tools = tuple(reader.tools(wired.tools or ()))
    return ChatRequest(
        model=model,
        messages=messages,
        stream=wired.stream is True,
        include_usage=True,
        max_tokens=wired.max_output_tokens,
        temperature=wired.temperature,
        top_p=wired.top_p,
        tools=tools,
        tool_choice=reader.choice(wired.tool_choice),
        parallel_tool_calls=wired.parallel_tool_calls,
        response_format=_format(wired.text.format if wired.text else None),
        reasoning_effort=inbound.EFFORTS.get((wired.reasoning and wired.reasoning.effort) or ""),
        user=wired.user,
        untranslatable=native or reader.untranslatable,
        has_unseen=native in _STATE or reader.has_unseen,
    )


def _known(tree: Any) -> Any:
    """A copy of the tree in which a message without a type has one, and what has an unknown type nothing else."""
    items = tree.get("input")
    return {**tree, "input": [_known_item(item) for item in items]} if isinstance(items, list) else tree


def _known_item(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    kind = item.get("type")
    if kind is None and "role" in item:
        item = {**item, "type": "message"}
    elif isinstance(kind, str) and kind not in wire.ITEM_TYPES:
        return {"type": wire.OTHER}
    for name in ("content", "output"):
        if isinstance(inner := item.get(name), list):
            item = {**item, name: [_known_content(part) for part in inner]}
    return item


def _known_content(part: Any) -> Any:
    kind = part.get("type") if isinstance(part, dict) else None
    return {"type": wire.OTHER} if isinstance(kind, str) and kind not in wire.CONTENT_TYPES else part


def _check(wired: wire.ResponsesRequest) -> None:
    """Refuses what contradicts itself, and what could not be paid for rightly."""
    if wired.input is None and all(getattr(wired, name) is None for name in _STATE):
        raise strict.invalid("input", "This field is required", code="missing_required_parameter")
    if wired.stream_options is not None and wired.stream is not True:
        raise strict.invalid("stream", "`stream_options` needs `stream` to be true: set it, or leave the options out")
    if wired.background:
        raise strict.invalid(
            "background",
            "An answer comes with its request here, and is paid for then: leave this out",
            code="unsupported_parameter",
        )


def _native(wired: wire.ResponsesRequest) -> str | None:
    """The first field that speaks of what only this dialect's vendor keeps or tells."""
    for name in _STATE:
        if getattr(wired, name) is not None:
            return name
    if wired.store:
        return "store"
    if wired.top_logprobs:
        return "top_logprobs"
    return "include" if any(not name.startswith("reasoning.") for name in wired.include or ()) else None


def _format(shape: wire.Format | None) -> ResponseFormat | None:
    if shape is None or shape.type == "text":
        return None
    if shape.type == "json_object":
        return ResponseFormat("json_object")
    if shape.name is None or shape.schema is None:
        field = "name" if shape.name is None else "schema"
        raise _missing(f"{_FORMAT}.{field}")
    schemas.check_bounds([(_FORMAT, shape.schema)])
    schemas.check_shape(_FORMAT, shape.schema)
    return ResponseFormat("json_schema", shape.name, shape.schema, shape.strict)


class _Reader:
    """Reads the input in its order, and remembers the first thing that only this dialect can say."""

    def __init__(self, *, sees_everything: bool) -> None:
        """`sees_everything` unless the vendor holds a part of the conversation."""
        self.untranslatable: str | None = None
        self.has_unseen = False
        self._sees_everything = sees_everything
        self._called: set[str] = set()

    def conversation(self, wired: wire.ResponsesRequest) -> Iterator[Message]:
        """Instructions and input as messages; calls that stand together are one turn of the assistant's."""
        if wired.instructions:
            yield Message("system", (Text(wired.instructions),))
        if isinstance(wired.input, str):
            yield Message("user", (Text(wired.input),))
            return
        said: list[Part] = []
        for position, item in enumerate(wired.input or ()):
            role, parts = self._item(item, f"input[{position}]")
            if role == "assistant":
                said += parts
                continue
            if said:
                yield Message("assistant", tuple(said))
                said = []
            if parts:
                yield Message(role, parts)
        if said:
            yield Message("assistant", tuple(said))

    def tools(self, offered: Sequence[wire.ResponsesTool]) -> Iterator[Tool]:
        """The functions among the tools, within bounds; the vendor's own tools are only noted."""
        for position, tool in enumerate(offered):
            path = f"tools[{position}]"
            if tool.type != "function":
                self._note(path)
            elif tool.name is None:
                raise _missing(f"{path}.name")
            else:
                schemas.check_bounds([(f"{path}.parameters", tool.parameters)])
                yield Tool(tool.name, tool.description, tool.parameters, tool.strict)

    def choice(self, choice: wire.ResponsesChoice | Any) -> ToolChoice | None:
        """How free the model is to call a tool."""
        if choice is None:
            return None
        if isinstance(choice, str):
            return ToolChoice(choice)  # type: ignore[arg-type]  # the wire holds no other words
        if choice.type != "function":
            self.untranslatable = self.untranslatable or "tool_choice"
            return None
        if choice.name is None:
            raise _missing("tool_choice.name")
        return ToolChoice("named", choice.name)

    def _item(self, item: wire.Item, path: str) -> tuple[Role, tuple[Part, ...]]:
        """Who says an item, and what; nothing for thinking, which belongs to the vendor that wrote it."""
        if isinstance(item, wire.MessageItem):
            role: Role = "system" if item.role == "developer" else item.role
            return role, self._parts(item.content, f"{path}.content")
        if isinstance(item, wire.CallItem):
            self._called.add(item.call_id)
            return "assistant", (ToolCall(item.call_id, item.name, item.arguments),)
        if isinstance(item, wire.ResultItem):
            return "tool", (self._result(item, path),)
        if isinstance(item, wire.OtherItem):
            self._note(path)
        return "assistant", ()

    def _result(self, item: wire.ResultItem, path: str) -> ToolResult:
        if item.call_id not in self._called and self._sees_everything and self.untranslatable is None:
            raise strict.invalid(
                f"{path}.call_id", f"No earlier item calls {strict.shown(item.call_id)}: send the item that does, too"
            )
        parts = self._parts(item.output, f"{path}.output")
        if any(isinstance(part, Image) for part in parts):
            self._note(f"{path}.output")
        return ToolResult(item.call_id, "".join(part.text for part in parts if isinstance(part, Text)))

    def _parts(self, content: str | list[wire.Content], path: str) -> tuple[Part, ...]:
        if isinstance(content, str):
            return (Text(content),)
        parts: list[Part] = []
        for position, part in enumerate(content):
            here = f"{path}[{position}]"
            if isinstance(part, wire.InputText | wire.OutputText):
                parts.append(Text(part.text))
            elif isinstance(part, wire.Refusal):
                parts.append(Text(part.refusal))
            elif isinstance(part, wire.InputImage) and part.image_url is not None:
                image = inbound.image(part.image_url, f"{here}.image_url")
                parts.append(replace(image, detail=part.detail))
            else:
                if isinstance(part, wire.InputFile) and part.file_url is not None:
                    pictures.check_address(part.file_url, f"{here}.file_url")
                self._note(here)
        return tuple(parts)

    def _note(self, path: str) -> None:
        self.untranslatable = self.untranslatable or path
        self.has_unseen = True


def _missing(path: str) -> InvalidRequest:
    return strict.invalid(path, "This field is required", code="missing_required_parameter")
