"""Messages requests of callers, read into the domain's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from farthing.dialects import pictures, schemas, strict
from farthing.dialects.anthropic import wire
from farthing.dialects.anthropic.generations import REDACTED
from farthing.domain.chat import (
    ChatRequest,
    Effort,
    Image,
    Message,
    Part,
    Reasoning,
    ResponseFormat,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from farthing.domain.errors import InvalidRequest

CODES = {"messages": "invalid_messages"}
_PLAIN = frozenset({"max_tokens", "messages", "metadata", "model", "stream", "system", "temperature"})
_KIND = re.compile(r"[a-z][a-z0-9_]{0,63}")


def read_request(tree: Any) -> ChatRequest:
    """The request in a decoded body. Raises `InvalidRequest`."""
    model = strict.model_name(tree)
    wired = _typed(tree)
    reader = _Reader()
    messages = (*_system(wired.system), *reader.messages(wired.messages))
    if _PLAIN.issuperset(tree):
        return _plain(model, messages, wired, reader)
    tools = tuple(reader.tools(wired.tools or ()))
    _check_schemas(wired)
    if wired.mcp_servers:
        reader.untranslatable = reader.untranslatable or "mcp_servers"
    shape = wired.shape
    choice, parallel = _tool_choice(wired)
    effort, budget = _reasoning(wired)
    return replace(
        _plain(model, messages, wired, reader),
        top_p=wired.top_p,
        top_k=wired.top_k,
        stop=tuple(wired.stop_sequences or ()),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        response_format=None if shape is None else ResponseFormat("json_schema", "answer", shape.schema),
        reasoning_effort=effort,
        reasoning_tokens=budget,
    )


def _plain(model: str, messages: tuple[Message, ...], wired: wire.MessagesRequest, reader: _Reader) -> ChatRequest:
    """Most requests say no more than this, and naming twenty fields takes longer than reading these."""
    return ChatRequest(
        model=model,
        messages=messages,
        stream=wired.stream,
        include_usage=wired.stream,
        max_tokens=wired.max_tokens,
        temperature=wired.temperature,
        user=wired.metadata.user_id if wired.metadata is not None else None,
        untranslatable=reader.untranslatable,
        has_unseen=reader.untranslatable is not None,
    )


def _typed(tree: Any) -> wire.MessagesRequest:
    """The body as a Struct; the vendor's newer block types, which only it understands, are let through by name."""
    try:
        return strict.read_as(tree, wire.MessagesRequest, CODES)
    except InvalidRequest as error:
        if error.param is None or not error.param.endswith(".type"):
            raise
        return strict.read_as(_named(tree), wire.MessagesRequest, CODES)


def _named(tree: Any) -> Any:
    """A copy of the tree in which message blocks of unknown type keep nothing but their type."""
    messages = tree.get("messages")
    if not isinstance(messages, list):
        return tree
    return {**tree, "messages": [_named_turn(turn) for turn in messages]}


def _named_turn(turn: Any) -> Any:
    if not isinstance(turn, dict) or not isinstance(turn.get("content"), list):
        return turn
    return {**turn, "content": [_named_block(block) for block in turn["content"]]}


def _named_block(block: Any) -> Any:
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        return block
    if kind == "tool_result" and isinstance(block.get("content"), list):
        return {**block, "content": [_named_block(inner) for inner in block["content"]]}
    return block if kind in wire.BLOCK_TYPES else {"type": "farthing.other", "kind": kind}


def _check_schemas(wired: wire.MessagesRequest) -> None:
    found = [(f"tools[{position}].input_schema", tool.input_schema) for position, tool in enumerate(wired.tools or ())]
    if wired.shape is not None:
        schemas.check_shape("output_config.format.schema", wired.shape.schema)
        found.append(("output_config.format.schema", wired.shape.schema))
    if found:
        schemas.check_bounds(found)


def _system(system: str | list[wire.TextBlock] | None) -> tuple[Message, ...]:
    if isinstance(system, str):
        return (Message("system", (Text(system),)),)
    return (Message("system", tuple([Text(block.text) for block in system])),) if system else ()


class _Reader:
    """Reads turns one after another and remembers the first thing no other vendor would understand."""

    def __init__(self) -> None:
        self.untranslatable: str | None = None
        self._called: set[str] = set()

    def messages(self, turns: Sequence[wire.InputMessage]) -> Iterator[Message]:
        """Each turn, its tool results as messages of their own."""
        for position, turn in enumerate(turns):
            if isinstance(turn.content, str):
                yield Message(turn.role, (Text(turn.content),))
            else:
                yield from self._turn(turn.content, turn.role, position)

    def tools(self, offered: Sequence[wire.OfferedTool]) -> Iterator[Tool]:
        """The functions among the tools; the vendor's own tools are only noted."""
        for position, tool in enumerate(offered):
            path = f"tools[{position}]"
            if tool.type not in {None, "custom"}:
                self._note(path)
            elif tool.name is None or tool.input_schema is None:
                missing = "name" if tool.name is None else "input_schema"
                raise strict.invalid(f"{path}.{missing}", "This field is required", code="missing_required_parameter")
            else:
                yield Tool(tool.name, tool.description, tool.input_schema, tool.strict)

    def _turn(self, content: Sequence[wire.Block], role: Role, turn: int) -> Iterator[Message]:
        parts: list[Part] = []
        for position, block in enumerate(content):
            if isinstance(block, wire.TextBlock):
                parts.append(Text(block.text))
                continue
            here = f"messages[{turn}].content[{position}]"
            if isinstance(block, wire.ToolResultBlock):
                if parts:
                    yield Message(role, tuple(parts))
                result, *parts = self._result(block, role, here)
                yield Message("tool", (result,))
            else:
                parts += self._said(block, role, here)
        if parts:
            yield Message(role, tuple(parts))

    def _said(
        self,
        block: wire.Content | wire.ToolUseBlock | wire.ThinkingBlock | wire.RedactedThinkingBlock,
        role: Role,
        path: str,
    ) -> Iterator[Part]:
        if isinstance(block, wire.Content):
            yield from self._content(block, path)
        elif role != "assistant":
            raise strict.invalid(f"{path}.type", "Only an assistant turn can hold this block")
        elif isinstance(block, wire.ToolUseBlock):
            self._called.add(block.id)
            yield ToolCall(block.id, block.name, msgspec.json.encode(block.input).decode())
        elif isinstance(block, wire.ThinkingBlock):
            yield Reasoning(block.thinking, block.signature or None)
        else:
            yield Reasoning("", REDACTED + block.data)

    def _content(self, block: wire.Content, path: str) -> Iterator[Part]:
        """The parts of a block that turns and tool results can hold alike."""
        if isinstance(block, wire.TextBlock):
            yield Text(block.text)
        elif isinstance(block, wire.ImageBlock):
            yield from self._image(block, path)
        elif isinstance(block, wire.DocumentBlock):
            yield from self._document(block, path)
        else:
            self._note(path)

    def _result(self, block: wire.ToolResultBlock, role: Role, path: str) -> list[Any]:
        """The result's text, and after it the pictures that no other dialect lets a result hold."""
        if role != "user":
            raise strict.invalid(f"{path}.type", "Only a user turn can hold a tool result")
        if block.tool_use_id not in self._called and self.untranslatable is None:
            raise strict.invalid(f"{path}.tool_use_id", "No tool_use block before it has this id")
        inner = block.content or []
        if isinstance(inner, str):
            return [ToolResult(block.tool_use_id, inner, bool(block.is_error))]
        parts: list[Part] = []
        for position, content in enumerate(inner):
            parts += self._content(content, f"{path}.content[{position}]")
        text = "\n".join(part.text for part in parts if isinstance(part, Text))
        images = [part for part in parts if isinstance(part, Image)]
        return [ToolResult(block.tool_use_id, text, bool(block.is_error)), *images]

    def _image(self, block: wire.ImageBlock, path: str) -> Iterator[Part]:
        source = block.source
        if isinstance(source, wire.Base64Source):
            pictures.check_data(source.media_type, source.data, f"{path}.source.data")
            yield Image(media_type=source.media_type, data=source.data)
        elif isinstance(source, wire.UrlSource):
            pictures.check_address(source.url, f"{path}.source.url")
            yield Image(url=source.url)
        else:
            self._note(path)

    def _document(self, block: wire.DocumentBlock, path: str) -> Iterator[Part]:
        source = block.source
        if source.get("type") == "text" and isinstance(source.get("data"), str):
            yield Text(f"{block.title}\n\n{source['data']}" if block.title else source["data"])
        else:
            if source.get("type") == "url" and isinstance(source.get("url"), str):
                pictures.check_address(source["url"], f"{path}.source.url")
            self._note(path)

    def _note(self, path: str) -> None:
        self.untranslatable = self.untranslatable or path


def _tool_choice(wired: wire.MessagesRequest) -> tuple[ToolChoice | None, bool | None]:
    """The choice, and whether several tools may be called at once."""
    choice = wired.tool_choice
    if choice is None:
        return None, None
    if isinstance(choice, wire.NoChoice):
        return ToolChoice("none"), None
    parallel = None if choice.disable_parallel_tool_use is None else not choice.disable_parallel_tool_use
    if isinstance(choice, wire.NamedChoice):
        if all(tool.name != choice.name for tool in wired.tools or ()):
            raise strict.invalid("tool_choice.name", f"No tool is called {strict.shown(choice.name)}")
        return ToolChoice("named", choice.name), parallel
    return ToolChoice("auto" if isinstance(choice, wire.AutoChoice) else "required"), parallel


def _reasoning(wired: wire.MessagesRequest) -> tuple[Effort | None, int | None]:
    """How hard the model should think, and its budget in tokens where one was named."""
    named = wired.output_config.effort if wired.output_config is not None else None
    effort: Effort | None = "xhigh" if named == "max" else named
    if isinstance(wired.thinking, wire.ThinkingDisabled):
        return "none", None
    if isinstance(wired.thinking, wire.ThinkingEnabled):
        return effort, wired.thinking.budget_tokens
    if wired.thinking is not None:
        return effort or "medium", None
    return effort, None
