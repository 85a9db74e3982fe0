"""Chat completion requests to vendors: passed through, or written from the domain's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from farthing.dialects import strict
from farthing.dialects.base import WireRequest, require_translatable
from farthing.domain.chat import (
    ChatRequest,
    Effort,
    Image,
    Message,
    Part,
    ResponseFormat,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

PATH = "/chat/completions"
JSON: Final = ((b"content-type", b"application/json"),)

MAX_USER = 64
"""Characters of a user's name that OpenAI accepts; a longer one is left out."""

_NEW_LIMIT = re.compile(r"(?:^|/)(?:o[1-9]|gpt-[5-9])")
"""OpenAI's models from o1 and gpt-5 on refuse `max_tokens`; many other vendors know nothing else."""
_TAKES_EFFORT = re.compile(r"(?:^|/)(?:o[1-9]|gpt-(?:[5-9]|oss))")
"""Models that take `reasoning_effort`; elsewhere a vendor may refuse it."""
_BUDGETS: Final[tuple[tuple[int, Effort], ...]] = ((1_024, "minimal"), (2_048, "low"), (8_192, "medium"))
"""The largest thinking budget, in tokens, that each effort stands for; anything larger is `high`."""


def pass_through(body: bytes, tree: Any, chat: ChatRequest, upstream_model: str) -> WireRequest:
    """The caller's own bytes; the model changed if it must be, and a stream asked for its usage."""
    if chat.stream and not chat.include_usage:
        options = {"stream_options": {**(tree.get("stream_options") or {}), "include_usage": True}}
        body = strict.splice(body, options) if "stream_options" in tree else strict.added(body, options)
    if chat.model != upstream_model:
        body = strict.splice(body, {"model": upstream_model})
    return WireRequest(path=PATH, body=body, headers=JSON)


def write_request(chat: ChatRequest, upstream_model: str) -> WireRequest:
    """The request in this dialect.

    Left out, because vendors who do not know it refuse the request: `top_k`; and the effort at models that are not
    known to take it. Thinking of earlier turns is not repeated either: it belongs to the vendor that wrote it.
    Raises `InvalidRequest` for content that no other dialect can say.
    """
    require_translatable(chat)
    body: dict[str, Any] = {"model": upstream_model, "messages": [said for m in chat.messages for said in _messages(m)]}
    if chat.max_tokens is not None:
        body["max_completion_tokens" if _NEW_LIMIT.search(upstream_model) else "max_tokens"] = chat.max_tokens
    if chat.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    if chat.tools:
        body["tools"] = [_tool(tool) for tool in chat.tools]
    options = {
        "temperature": chat.temperature,
        "top_p": chat.top_p,
        "stop": list(chat.stop) or None,
        "seed": chat.seed,
        "n": chat.n if chat.n > 1 else None,
        "logprobs": chat.logprobs or None,
        "frequency_penalty": chat.frequency_penalty,
        "presence_penalty": chat.presence_penalty,
        "tool_choice": _tool_choice(chat.tool_choice) if chat.tools else None,
        "parallel_tool_calls": chat.parallel_tool_calls if chat.tools else None,
        "response_format": _response_format(chat.response_format),
        "reasoning_effort": _effort(chat) if _TAKES_EFFORT.search(upstream_model) else None,
        "user": chat.user if chat.user is not None and len(chat.user) <= MAX_USER else None,
    }
    body |= {name: value for name, value in options.items() if value is not None}
    return WireRequest(path=PATH, body=msgspec.json.encode(body), headers=JSON)


def _messages(message: Message) -> Iterator[dict[str, Any]]:
    for part in message.parts:
        if isinstance(part, ToolResult):
            yield {"role": "tool", "tool_call_id": part.call_id, "content": part.text}
    texts = [part for part in message.parts if isinstance(part, Text | Image)]
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    if calls:
        content = "".join(part.text for part in texts if isinstance(part, Text)) or None
        yield {"role": message.role, "content": content, "tool_calls": [_call(call) for call in calls]}
    elif len(texts) == 1 and isinstance(texts[0], Text):
        yield {"role": message.role, "content": texts[0].text}
    elif texts and message.role == "user":
        yield {"role": message.role, "content": [_part(part) for part in texts]}
    elif texts:
        yield {"role": message.role, "content": "\n\n".join(part.text for part in texts if isinstance(part, Text))}


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Image):
        url = part.url if part.url is not None else f"data:{part.media_type};base64,{part.data}"
        return {"type": "image_url", "image_url": {"url": url} | ({"detail": part.detail} if part.detail else {})}
    return {"type": "text", "text": part.text} if isinstance(part, Text) else {}


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _tool(tool: Tool) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }
    return {"type": "function", "function": {name: value for name, value in function.items() if value is not None}}


def _tool_choice(choice: ToolChoice | None) -> Any:
    if choice is None or choice.mode != "named":
        return None if choice is None else choice.mode
    return {"type": "function", "function": {"name": choice.name}}


def _response_format(shape: ResponseFormat | None) -> Any:
    if shape is None or shape.kind == "json_object":
        return None if shape is None else {"type": "json_object"}
    schema = {"name": shape.name or "answer", "schema": shape.schema, "strict": shape.strict}
    return {"type": "json_schema", "json_schema": {name: value for name, value in schema.items() if value is not None}}


def _effort(chat: ChatRequest) -> Effort | None:
    if chat.reasoning_effort is not None or chat.reasoning_tokens is None:
        return chat.reasoning_effort
    return next((effort for budget, effort in _BUDGETS if chat.reasoning_tokens <= budget), "high")
