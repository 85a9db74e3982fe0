"""Requests to Anthropic's Messages API, written from the domain's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from farthing.dialects import strict
from farthing.dialects.anthropic.enforcement import enforceable
from farthing.dialects.anthropic.generations import MIN_BUDGET, REDACTED, Generation, budget
from farthing.dialects.base import WireRequest, require_translatable
from farthing.domain.chat import (
    ChatRequest,
    Image,
    Message,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)

PATH = "/v1/messages"
VERSION = (b"anthropic-version", b"2023-06-01")
"""Sent unless the caller sent one: the last version that still takes sampling parameters."""
_HEADERS = ((b"content-type", b"application/json"), VERSION)
_CHOICES = {"auto": "auto", "none": "none", "required": "any", "named": "tool"}
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")


def write_request(chat: ChatRequest, upstream_model: str) -> WireRequest:
    """The request for this model. Raises `InvalidRequest` for what the vendor cannot do."""
    require_translatable(chat)
    if chat.n > 1:
        raise strict.invalid("n", "This model gives one answer at a time: send n = 1")
    if chat.logprobs:
        raise strict.invalid("logprobs", "This model tells no log probabilities: leave it out")
    generation = Generation.of(upstream_model)
    body: dict[str, Any] = {"model": upstream_model, "max_tokens": chat.max_tokens or generation.max_tokens}
    messages, system = _messages(chat.messages, generation), _system(chat, generation)
    if not messages:
        messages, system = [{"role": "user", "content": [{"type": "text", "text": system}]}], ""
    if system:
        body["system"] = system
    body["messages"] = messages
    body |= _sampling(chat, generation)
    body |= _tools(chat, generation)
    _think(body, chat, generation)
    shape = chat.response_format
    if shape is not None and shape.schema is not None and generation.takes_schemas:
        body.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": enforceable(shape.schema)}
    if chat.user is not None:
        body["metadata"] = {"user_id": chat.user}
    if chat.stream:
        body["stream"] = True
    return WireRequest(path=PATH, body=msgspec.json.encode(body), headers=_HEADERS)


def pass_through(body: bytes, tree: Any, upstream_model: str) -> WireRequest:
    """The caller's own bytes; only the model, and thinking that the vendor would refuse, are changed."""
    changes: dict[str, Any] = {}
    if tree["model"] != upstream_model:
        changes["model"] = upstream_model
    if b"thinking" in body:
        generation = Generation.of(upstream_model)
        if any(_is_foreign(block, generation) for turn in tree["messages"] for block in turn["content"]):
            changes["messages"] = list(_without_foreign_thinking(tree["messages"], generation))
    return WireRequest(path=PATH, body=strict.splice(body, changes) if changes else body, headers=_HEADERS)


def _without_foreign_thinking(turns: list[Any], generation: Generation) -> Iterator[Any]:
    for turn in turns:
        content = turn["content"]
        if isinstance(content, list):
            content = [block for block in content if not _is_foreign(block, generation)]
        if content or not turn["content"]:
            yield {**turn, "content": content}


def _is_foreign(block: Any, generation: Generation) -> bool:
    """Whether a block (or a character, where the content is a string) is thinking that the vendor would refuse."""
    if isinstance(block, str) or block["type"] != "thinking":
        return False
    return not _is_ours(block.get("signature") or None, generation)


def _is_ours(signature: str | None, generation: Generation) -> bool:
    """Whether the vendor wrote this signature; others' bear a mark with a colon, which base64 does not know."""
    if signature is None:
        return generation.version == (0, 0)
    return ":" not in signature or signature.startswith(REDACTED)


def _system(chat: ChatRequest, generation: Generation) -> str:
    texts = [
        part.text
        for message in chat.messages
        if message.role == "system"
        for part in message.parts
        if isinstance(part, Text) and part.text
    ]
    shape = chat.response_format
    if shape is not None and shape.schema is None:
        texts.append("Answer with one JSON object and nothing else.")
    elif shape is not None and not generation.takes_schemas:
        schema = msgspec.json.encode(shape.schema).decode()
        texts.append(f"Answer with JSON that fits this JSON Schema, and nothing else:\n{schema}")
    if chat.tool_choice is not None and _only_asks(chat, generation):
        named = chat.tool_choice.name
        texts.append(f"Answer by calling the tool `{named}`." if named else "Answer by calling one of the tools.")
    return "\n\n".join(texts)


def _messages(messages: Sequence[Message], generation: Generation) -> list[dict[str, Any]]:
    """Alternating turns: the vendor wants every result of a turn's tool calls in the next turn's beginning."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = list(_blocks(message, generation))
        if blocks and turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Message, generation: Generation) -> Iterator[dict[str, Any]]:
    for part in message.parts:
        if isinstance(part, Text):
            if part.text:
                yield {"type": "text", "text": part.text}
        elif isinstance(part, Reasoning):
            if _is_ours(part.signature, generation):
                yield _thinking(part)
        else:
            yield _block(part)


def _block(part: Image | ToolCall | ToolResult) -> dict[str, Any]:
    if isinstance(part, Image):
        return {"type": "image", "source": _source(part)}
    if isinstance(part, ToolCall):
        return {"type": "tool_use", "id": _id(part.id), "name": part.name, "input": _input(part.arguments)}
    block = {"type": "tool_result", "tool_use_id": _id(part.call_id), "content": part.text}
    return {**block, "is_error": True} if part.is_error else block


def _thinking(part: Reasoning) -> dict[str, Any]:
    signature = part.signature or ""
    if signature.startswith(REDACTED):
        return {"type": "redacted_thinking", "data": signature.removeprefix(REDACTED)}
    return {"type": "thinking", "thinking": part.text, "signature": signature}


def _source(image: Image) -> dict[str, Any]:
    if image.data is not None:
        return {"type": "base64", "media_type": image.media_type, "data": image.data}
    return {"type": "url", "url": image.url}


def _id(text: str) -> str:
    """A tool call's id in the vendor's alphabet; other vendors' ids may hold more."""
    return _NOT_IN_IDS.sub("_", text)


def _input(arguments: str) -> dict[str, Any]:
    """The arguments as an object; a model may have written no JSON at all, and the conversation must go on."""
    try:
        decoded = msgspec.json.decode(arguments or "{}")
    except msgspec.DecodeError:
        decoded = arguments
    return decoded if isinstance(decoded, dict) else {"arguments": decoded}


def _sampling(chat: ChatRequest, generation: Generation) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if stop := [text for text in chat.stop if text.strip()]:
        body["stop_sequences"] = stop
    if not generation.takes_sampling:
        return body
    if chat.temperature is not None:
        body["temperature"] = min(chat.temperature, 1.0)
    if chat.top_p is not None and (chat.temperature is None or generation.takes_two_samplers):
        body["top_p"] = chat.top_p
    if chat.top_k is not None:
        body["top_k"] = chat.top_k
    return body


def _tools(chat: ChatRequest, generation: Generation) -> dict[str, Any]:
    if not chat.tools:
        return {}
    body: dict[str, Any] = {"tools": [_tool(tool) for tool in chat.tools]}
    choice: dict[str, Any] = {}
    if _only_asks(chat, generation):
        choice["type"] = "auto"
    elif chat.tool_choice is not None:
        choice["type"] = _CHOICES[chat.tool_choice.mode]
        if chat.tool_choice.mode == "named":
            choice["name"] = chat.tool_choice.name
    if chat.parallel_tool_calls is False and choice.get("type") != "none":
        choice = {"type": "auto", **choice, "disable_parallel_tool_use": True}
    return {**body, "tool_choice": choice} if choice else body


def _only_asks(chat: ChatRequest, generation: Generation) -> bool:
    """Whether a tool that must be called can only be asked for in words."""
    forced = chat.tool_choice is not None and chat.tool_choice.mode in {"required", "named"}
    return forced and bool(chat.tools) and not generation.takes_forced_tools


def _tool(tool: Tool) -> dict[str, Any]:
    body: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        body["description"] = tool.description
    body["input_schema"] = {"type": "object", **(tool.parameters or {})}
    return body


def _think(body: dict[str, Any], chat: ChatRequest, generation: Generation) -> None:
    """Adds thinking as the generation wants it, and takes out what the vendor refuses beside it."""
    if generation.is_adaptive:
        effort = generation.effort(chat.reasoning_effort, chat.reasoning_tokens)
        if effort is None:
            return
        if chat.reasoning_effort != "none":
            body["thinking"] = {"type": "adaptive"}
        body["output_config"] = {"effort": effort}
    elif not _thinking_fits(body, chat):
        return
    else:
        tokens = budget(chat.reasoning_effort, chat.reasoning_tokens)
        if chat.max_tokens is None:
            body["max_tokens"] = max(body["max_tokens"], 2 * tokens)
        body["thinking"] = {"type": "enabled", "budget_tokens": min(tokens, body["max_tokens"] - 1)}
    for name in ("temperature", "top_p", "top_k"):
        body.pop(name, None)


def _thinking_fits(body: dict[str, Any], chat: ChatRequest) -> bool:
    """Whether a model that takes a budget may think: not under a forced tool, nor amid a tool loop begun without."""
    if not budget(chat.reasoning_effort, chat.reasoning_tokens):
        return False
    if chat.max_tokens is not None and chat.max_tokens <= MIN_BUDGET:
        return False
    if body.get("tool_choice", {}).get("type") in {"any", "tool"}:
        return False
    return not _loops_unsigned(body["messages"])


def _loops_unsigned(turns: Sequence[dict[str, Any]]) -> bool:
    """Whether the last turn answers a tool call that came without signed thinking."""
    answers = any(block["type"] == "tool_result" for block in turns[-1]["content"])
    return answers and len(turns) > 1 and turns[-2]["content"][0]["type"] not in {"thinking", "redacted_thinking"}
