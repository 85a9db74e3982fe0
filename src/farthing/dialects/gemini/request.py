"""Requests to Gemini's generateContent, written from the domain's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from farthing.dialects import strict
from farthing.dialects.base import WireRequest, require_translatable
from farthing.dialects.gemini.generations import LEVELS, thinking, version
from farthing.domain.chat import (
    ChatRequest,
    Image,
    Message,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

MAX_CANDIDATES = 8
SIGNED_BY = "gemini:"
"""Marks a `Reasoning.signature` that is a thoughtSignature, so that no other vendor is shown it."""
UNSIGNED = "skip_thought_signature_validator"
"""What Google documents for calls that come without a signature: made by other models, or lost by the client."""

_HEADERS = ((b"content-type", b"application/json"),)
_MEDIA_TYPES = {
    "gif": "image/gif",
    "heic": "image/heic",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}


def write_request(chat: ChatRequest, upstream_model: str) -> WireRequest:
    """The request for this model. Raises `InvalidRequest` for what the vendor cannot do."""
    require_translatable(chat)
    if chat.n > MAX_CANDIDATES:
        raise strict.invalid("n", f"This model gives at most {MAX_CANDIDATES} answers at a time")
    if chat.logprobs:
        raise strict.invalid("logprobs", "Log probabilities of this model cannot be translated: leave it out")
    contents = _contents(chat.messages, must_be_signed=version(upstream_model) >= LEVELS)
    system = _system(chat.messages)
    if not contents:
        contents, system = [{"role": "user", "parts": system}], []
    body: dict[str, Any] = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    if chat.tools:
        body["tools"] = [{"functionDeclarations": [_declaration(tool) for tool in chat.tools]}]
        if chat.tool_choice is not None:
            body["toolConfig"] = {"functionCallingConfig": _calling(chat.tool_choice)}
    if config := _generation_config(chat, upstream_model):
        body["generationConfig"] = config
    method = "streamGenerateContent?alt=sse" if chat.stream else "generateContent"
    name = quote(upstream_model.removeprefix("models/"), safe="")
    return WireRequest(path=f"/models/{name}:{method}", body=msgspec.json.encode(body), headers=_HEADERS)


def _system(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [
        {"text": part.text}
        for message in messages
        if message.role == "system"
        for part in message.parts
        if isinstance(part, Text) and part.text
    ]


def _contents(messages: Sequence[Message], *, must_be_signed: bool) -> list[dict[str, Any]]:
    """Alternating turns; a result names the function whose call it answers."""
    turns: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for message in messages:
        if message.role == "system":
            continue
        role = "model" if message.role == "assistant" else "user"
        names.update({part.id: part.name for part in message.parts if isinstance(part, ToolCall)})
        parts = list(_parts(message, names, must_be_signed=must_be_signed))
        if parts and turns and turns[-1]["role"] == role:
            turns[-1]["parts"] += parts
        elif parts:
            turns.append({"role": role, "parts": parts})
    return turns


def _parts(message: Message, names: dict[str, str], *, must_be_signed: bool) -> Iterator[dict[str, Any]]:
    """The parts of one turn; of thinking only the signature is sent back, on the first call after it."""
    signature: str | None = UNSIGNED if must_be_signed else None
    for part in message.parts:
        if isinstance(part, Reasoning):
            if part.signature is not None and part.signature.startswith(SIGNED_BY):
                signature = part.signature.removeprefix(SIGNED_BY)
        elif isinstance(part, ToolCall):
            call = _call(part)
            yield {**call, "thoughtSignature": signature} if signature else call
            signature = None
        elif not isinstance(part, Text):
            yield _content(part, names)
        elif part.text:
            yield {"text": part.text}


def _call(part: ToolCall) -> dict[str, Any]:
    try:
        arguments = msgspec.json.decode(part.arguments or "{}")
    except msgspec.DecodeError:
        arguments = part.arguments
    return {"functionCall": {"id": part.id, "name": part.name, "args": _object(arguments, "arguments")}}


def _content(part: Image | ToolResult, names: dict[str, str]) -> dict[str, Any]:
    if isinstance(part, Image):
        return _image(part)
    try:
        response = msgspec.json.decode(part.text)
    except msgspec.DecodeError:
        response = part.text
    response = {"error": response} if part.is_error else _object(response, "result")
    # A result whose call is not in the conversation has no name: the vendor then tells what it misses.
    name = names.get(part.call_id, "")
    return {"functionResponse": {"id": part.call_id, "name": name, "response": response}}


def _object(value: Any, name: str) -> dict[str, Any]:
    return value if isinstance(value, dict) else {name: value}


def _image(image: Image) -> dict[str, Any]:
    if image.data is not None:
        return {"inlineData": {"mimeType": image.media_type, "data": image.data}}
    url = image.url or ""
    ending = url.partition("?")[0].rpartition(".")[2].lower()
    media_type = image.media_type or _MEDIA_TYPES.get(ending)
    return {"fileData": {"mimeType": media_type, "fileUri": url} if media_type else {"fileUri": url}}


def _declaration(tool: Tool) -> dict[str, Any]:
    declaration: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        declaration["description"] = tool.description
    if tool.parameters:
        declaration["parametersJsonSchema"] = tool.parameters
    return declaration


def _calling(choice: ToolChoice) -> dict[str, Any]:
    config: dict[str, Any] = {"mode": _MODES[choice.mode]}
    if choice.mode == "named":
        config["allowedFunctionNames"] = [choice.name]
    return config


def _generation_config(chat: ChatRequest, model: str) -> dict[str, Any]:
    config: dict[str, Any] = {
        "maxOutputTokens": chat.max_tokens,
        "temperature": chat.temperature,
        "topP": chat.top_p,
        "topK": chat.top_k,
        "stopSequences": list(chat.stop) or None,
        "candidateCount": chat.n if chat.n > 1 else None,
        "seed": chat.seed,
        "frequencyPenalty": chat.frequency_penalty,
        "presencePenalty": chat.presence_penalty,
        "thinkingConfig": thinking(model, chat.reasoning_effort, chat.reasoning_tokens),
    }
    if chat.response_format is not None:
        config["responseMimeType"] = "application/json"
        config["responseJsonSchema"] = chat.response_format.schema
    return {name: value for name, value in config.items() if value is not None}
