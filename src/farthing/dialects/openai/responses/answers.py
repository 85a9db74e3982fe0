"""Answers of a vendor who speaks the Responses API: whole bodies and the events of streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from farthing.dialects.base import Event, Piece
from farthing.dialects.openai.answers import GARBAGE, finite
from farthing.dialects.openai.errors import told
from farthing.dialects.openai.usage import read_usage
from farthing.domain.chat import (
    Choice,
    Completed,
    Completion,
    Delta,
    Finished,
    FinishReason,
    Part,
    Reasoning,
    ReasoningDelta,
    Started,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from farthing.domain.errors import UpstreamInterrupted, UpstreamInvalid

_TEXT: Final = frozenset({"response.output_text.delta", "response.refusal.delta"})
_THOUGHT: Final = frozenset({"response.reasoning_summary_text.delta", "response.reasoning_text.delta"})
_ARGUMENTS: Final = frozenset({"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"})
_ENDS: Final = frozenset({"response.completed", "response.incomplete"})
_BREAKS: Final = frozenset({"error", "response.failed", "response.cancelled"})
_CALLS: Final[Mapping[str, str]] = {"function_call": "arguments", "custom_tool_call": "input"}
"""Items by which the model calls a tool of the caller's, and where each holds what it calls it with."""
_SAID: Final = frozenset({"message", "reasoning", *_CALLS})
"""Items that cost nothing but their tokens; those of most answers."""
_UNCOUNTED: Final = frozenset({"code_interpreter_call", "image_generation_call"})
"""Items of the vendor's own tools that it sells by the time of a container or the tokens of another model."""
_NO_SEARCH: Final = frozenset({"open_page", "find_in_page"})
"""What a web search item does without its fee: read on in what was found before."""
_INCOMPLETE: Final[Mapping[str, FinishReason]] = {"max_output_tokens": "length", "content_filter": "content_filter"}

_decode = msgspec.json.Decoder().decode


def read_completion(body: bytes) -> Completion:
    """The answer in a whole body. Raises `UpstreamInvalid`, or what a body with an error in it stands for."""
    return read_whole(body)[0]


def read_whole(body: bytes) -> tuple[Completion, bytes]:
    """As `read_completion`, and the body as callers get it."""
    try:
        return _completion(_decode(body)), body
    except GARBAGE:
        clean = finite(body)
        return _completion(_decoded(clean)), clean


def _completion(tree: Any) -> Completion:
    if not isinstance(tree, dict):
        raise UpstreamInvalid("The provider sent something that is no response.")
    if tree.get("error"):
        raise told(tree["error"])
    if not isinstance(tree.get("output"), list):
        raise UpstreamInvalid("The provider's answer has no output.")
    parts = tuple(part for item in tree["output"] for part in _parts(item))
    return Completion(
        id=_string(tree.get("id")),
        model=_string(tree.get("model")),
        choices=(Choice(parts, _finish(tree, calls=any(isinstance(part, ToolCall) for part in parts))),),
        usage=_used(tree),
    )


class Reader:
    """Understands one stream."""

    __slots__ = ("_calls", "_has_begun", "_is_done")

    def __init__(self) -> None:
        self._has_begun = False
        self._is_done = False
        self._calls: dict[Any, int] = {}
        """Positions of the tool calls seen, by the place of their item in the output."""

    def read(self, event: Event) -> Piece:
        """What this event says. Raises `UpstreamError` for an error event, `UpstreamInvalid` for garbage."""
        raw = event.raw
        if not event.data or self._is_done:
            return Piece((), raw)
        try:
            tree = _decode(event.data)
        except GARBAGE:
            tree, raw = _decoded(finite(event.data)), finite(raw)
        if not isinstance(tree, dict) or not isinstance(tree.get("type", ""), str):
            raise UpstreamInvalid("The provider sent an event that is none of a response.")
        return Piece(self._heard(_string(tree.get("type")) or event.name.decode("latin-1"), tree), raw)

    def skim(self, _: bytes) -> None:
        """Nothing: no event differs from another in its text alone."""

    def close(self) -> Sequence[Delta]:
        """Nothing: the end is told by an event. Raises `UpstreamInterrupted` where it was not."""
        if not self._is_done:
            raise UpstreamInterrupted("The provider's stream ended before the answer did.")
        return ()

    def _heard(self, kind: str, tree: Mapping[str, Any]) -> Sequence[Delta]:
        if kind in _TEXT:
            return (TextDelta(_string(tree.get("delta"))),)
        if kind in _THOUGHT:
            return (ReasoningDelta(_string(tree.get("delta"))),)
        if kind in _ARGUMENTS:
            position = self._calls.get(_place(tree))
            return () if position is None else (ToolCallDelta(position, arguments=_string(tree.get("delta"))),)
        if kind == "response.output_item.added":
            return self._added(tree)
        if kind in _BREAKS or tree.get("error"):
            raise told(tree.get("error") or _response(tree).get("error") or tree)
        if kind == "response.created":
            return self._begun(_response(tree))
        return self._ended(_response(tree)) if kind in _ENDS else ()

    def _added(self, tree: Mapping[str, Any]) -> Sequence[Delta]:
        item = tree.get("item")
        if not isinstance(item, dict) or item.get("type") not in _CALLS:
            return ()
        position = self._calls.setdefault(_place(tree), len(self._calls))
        call = _call(item)
        return (ToolCallDelta(position, call.id, call.name, call.arguments),)

    def _begun(self, response: Mapping[str, Any]) -> Sequence[Delta]:
        if self._has_begun:
            return ()
        self._has_begun = True
        return (Started(_string(response.get("id")), _string(response.get("model"))),)

    def _ended(self, response: Mapping[str, Any]) -> Sequence[Delta]:
        self._is_done = True
        deltas: list[Delta] = [*self._begun(response)]
        if (usage := _used(response)) is not None:
            deltas.append(UsageReport(usage))
        return (*deltas, Finished(_finish(response, calls=bool(self._calls))), Completed())


def _decoded(text: bytes) -> Any:
    try:
        return _decode(text)
    except GARBAGE:
        raise UpstreamInvalid("The provider sent something that is no response.") from None


def _used(response: Mapping[str, Any]) -> Usage | None:
    """The tokens that a response tells of, and the calls of its vendor's own tools."""
    usage, items = read_usage(response.get("usage")), response.get("output")
    if usage is None or not isinstance(items, list):
        return usage
    tools = [item for item in items if isinstance(item, dict) and _string(item.get("type")) not in _SAID]
    if not tools:
        return usage
    kinds = [_string(item.get("type")) for item in tools]
    return replace(
        usage,
        web_searches=sum(map(_is_search, tools)),
        file_searches=kinds.count("file_search_call"),
        estimated=not _UNCOUNTED.isdisjoint(kinds),
    )


def _is_search(item: Mapping[str, Any]) -> bool:
    action = item.get("action")
    did = _string(action.get("type")) if isinstance(action, dict) else ""
    return item.get("type") == "web_search_call" and did not in _NO_SEARCH


def _finish(response: Mapping[str, Any], *, calls: bool) -> FinishReason:
    if response.get("status") not in {"completed", None}:
        details = response.get("incomplete_details")
        return _INCOMPLETE.get(_string(details.get("reason")) if isinstance(details, dict) else "", "other")
    return "tool_calls" if calls else "stop"


def _parts(item: Any) -> Sequence[Part]:
    """What an item of the output says; nothing where only this dialect can say it."""
    if not isinstance(item, dict):
        return ()
    kind = item.get("type")
    if kind == "message":
        return [Text(text) for text in _texts(item.get("content"))]
    if kind == "reasoning":
        thought = "".join([*_texts(item.get("summary")), *_texts(item.get("content"))])
        return [Reasoning(thought)] if thought else ()
    return [_call(item)] if kind in _CALLS else ()


def _call(item: Mapping[str, Any]) -> ToolCall:
    return ToolCall(_string(item.get("call_id")), _string(item.get("name")), _string(item.get(_CALLS[item["type"]])))


def _texts(content: Any) -> Sequence[str]:
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    texts = [_string(part.get("text")) or _string(part.get("refusal")) for part in parts]
    return [text for text in texts if text]


def _place(tree: Mapping[str, Any]) -> int:
    place = tree.get("output_index")
    return place if isinstance(place, int) else 0


def _response(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    response = tree.get("response")
    return response if isinstance(response, dict) else {}


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
