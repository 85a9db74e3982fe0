"""Answers to callers who speak the Responses API, for models whose vendor does not: whole and streamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from farthing.dialects import sse
from farthing.dialects.base import ReplyFacts
from farthing.domain.chat import (
    ChatRequest,
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
    ToolCallDelta,
    Usage,
)
from farthing.domain.errors import FarthingError

_REASONS: Final[Mapping[str, str]] = {"length": "max_output_tokens", "content_filter": "content_filter"}
_FIELDS: Final[Mapping[str, str]] = {"messages": "input", "response_format": "text.format"}
"""What this dialect calls a field that a refusal names as chat completions do."""
_NOTHING_KEPT: Final[Mapping[str, Any]] = {
    "instructions": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "store": False,
    "temperature": None,
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
}
"""What clients expect to find in every response; what was asked for is not told again."""

_encode = msgspec.json.Encoder().encode


def write_completion(completion: Completion, facts: ReplyFacts) -> bytes:
    """The body of a whole answer."""
    choice = completion.choices[0] if completion.choices else None
    status = _status(choice.finish if choice else None)
    items = [_item(part, facts, place, status) for place, part in enumerate(_joined(choice.parts if choice else ()))]
    head = _head(completion.id, completion.model, facts)
    return _encode(_ended(head, items, choice.finish if choice else None, completion.usage))


def write_usage(usage: Usage) -> dict[str, Any]:
    """Tokens as this dialect counts them: every class stands in the two totals, some once more in the details."""
    return {
        "input_tokens": usage.tokens_in,
        "input_tokens_details": {"cached_tokens": usage.cached + usage.cached_audio},
        "output_tokens": usage.tokens_out,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.tokens_in + usage.tokens_out,
    }


def field_of(error: FarthingError) -> str | None:
    """The field that a refusal is about, in this dialect's words."""
    return _FIELDS.get(error.param, error.param) if error.param else None


class Writer:
    """Writes one stream: what was begun is ended before the next begins, but for calls, which may grow side by side."""

    def __init__(self, chat: ChatRequest, facts: ReplyFacts) -> None:
        self._facts = facts
        self._base = _head("", chat.model, facts)
        self._number = 0
        self._items: list[dict[str, Any]] = []
        self._open: str | None = None
        """The type of the last item while its text or thinking is being written."""
        self._calls: dict[int, int] = {}
        """Places of the calls by their position."""
        self._finish: FinishReason | None = None
        self._usage: Usage | None = None

    def write(self, delta: Delta) -> bytes:
        """The bytes for this delta; the end is only written for `Completed`."""
        if isinstance(delta, TextDelta):
            return b"".join(self._text(delta.text)) if delta.text else b""
        if isinstance(delta, ReasoningDelta):
            return b"".join(self._thought(delta.text)) if delta.text else b""
        if isinstance(delta, ToolCallDelta):
            return b"".join(self._call(delta))
        if isinstance(delta, Started):
            self._base = _head(delta.id, delta.model, self._facts)
            begun = {**self._base, "status": "in_progress"}
            return self._event("response.created", response=begun) + self._event("response.in_progress", response=begun)
        if isinstance(delta, Completed):
            return b"".join(self._end())
        if isinstance(delta, Finished):
            self._finish = delta.reason
        else:
            self._usage = delta.usage
        return b""

    def error(self, error: FarthingError) -> bytes:
        """The event that tells the caller the stream broke; no end follows.

        The published event has the words at its top; the released clients look for them in `error`.
        """
        words = {"code": error.code, "message": error.message, "param": field_of(error)}
        return self._event("error", **words, error={"type": error.type, **words})

    def _text(self, text: str) -> Iterator[bytes]:
        if self._open != "message":
            yield from self._close()
            item = {**_message("", self._id("msg")), "status": "in_progress", "content": []}
            yield from self._add(item)
            item["content"] = [_output_text("")]
            yield self._part("response.content_part.added", part=_output_text(""))
        self._items[-1]["content"][0]["text"] += text
        yield self._part("response.output_text.delta", delta=text, logprobs=[])

    def _thought(self, text: str) -> Iterator[bytes]:
        if self._open != "reasoning":
            yield from self._close()
            item: dict[str, Any] = {"type": "reasoning", "id": self._id("rs"), "summary": []}
            yield from self._add(item)
            item["summary"] = [_summary("")]
            yield self._summary("response.reasoning_summary_part.added", part=_summary(""))
        self._items[-1]["summary"][0]["text"] += text
        yield self._summary("response.reasoning_summary_text.delta", delta=text)

    def _call(self, delta: ToolCallDelta) -> Iterator[bytes]:
        place = self._calls.get(delta.position)
        if place is None:
            yield from self._close()
            place = self._calls[delta.position] = len(self._items)
            item = _function_call(self._id("fc"), delta.id or self._id("call"), delta.name or "", "")
            yield from self._add({**item, "status": "in_progress"})
            self._open = None
        if delta.arguments:
            self._items[place]["arguments"] += delta.arguments
            yield self._at(place, "response.function_call_arguments.delta", delta=delta.arguments)

    def _end(self) -> Iterator[bytes]:
        yield from self._close()
        for place in self._calls.values():
            item = self._items[place]
            item["status"] = "completed"
            yield self._at(
                place, "response.function_call_arguments.done", name=item["name"], arguments=item["arguments"]
            )
            yield self._event("response.output_item.done", output_index=place, item=item)
        response = _ended(self._base, self._items, self._finish, self._usage)
        yield self._event(f"response.{response['status']}", response=response)

    def _close(self) -> Iterator[bytes]:
        """Ends the text or thinking that is being written."""
        if self._open is None:
            return
        item = self._items[-1]
        if self._open == "message":
            [content] = item["content"]
            item["status"] = _status(self._finish)
            yield self._part("response.output_text.done", text=content["text"], logprobs=[])
            yield self._part("response.content_part.done", part=content)
        else:
            [summary] = item["summary"]
            yield self._summary("response.reasoning_summary_text.done", text=summary["text"])
            yield self._summary("response.reasoning_summary_part.done", part=summary)
        yield self._event("response.output_item.done", output_index=len(self._items) - 1, item=item)
        self._open = None

    def _add(self, item: dict[str, Any]) -> Iterator[bytes]:
        self._open = item["type"]
        self._items.append(item)
        yield self._event("response.output_item.added", output_index=len(self._items) - 1, item=item)

    def _id(self, kind: str) -> str:
        return _item_id(kind, self._facts, len(self._items))

    def _part(self, kind: str, **more: Any) -> bytes:
        return self._at(len(self._items) - 1, kind, content_index=0, **more)

    def _summary(self, kind: str, **more: Any) -> bytes:
        return self._at(len(self._items) - 1, kind, summary_index=0, **more)

    def _at(self, place: int, kind: str, **more: Any) -> bytes:
        return self._event(kind, item_id=self._items[place]["id"], output_index=place, **more)

    def _event(self, kind: str, **more: Any) -> bytes:
        data = _encode({"type": kind, "sequence_number": self._number, **more})
        self._number += 1
        return sse.frame(data, kind.encode())


def _head(answer_id: str, model: str, facts: ReplyFacts) -> dict[str, Any]:
    """A response of which nothing is said yet; an id of another dialect is not one that can be asked for again."""
    known = answer_id if answer_id.startswith("resp_") else f"resp_{facts.request_id}"
    return {
        "id": known,
        "object": "response",
        "created_at": facts.created_s,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "usage": None,
        **_NOTHING_KEPT,
    }


def _ended(
    head: Mapping[str, Any], items: Iterable[Mapping[str, Any]], finish: FinishReason | None, usage: Usage | None
) -> dict[str, Any]:
    reason = _REASONS.get(finish or "")
    return {
        **head,
        "status": _status(finish),
        "incomplete_details": {"reason": reason} if reason else None,
        "output": list(items),
        "usage": write_usage(usage) if usage else None,
    }


def _status(finish: FinishReason | None) -> str:
    return "incomplete" if finish in _REASONS else "completed"


def _joined(parts: Iterable[Part]) -> Iterator[Part]:
    """The parts, texts that follow one another as one."""
    texts: list[str] = []
    for part in parts:
        if isinstance(part, Text):
            texts.append(part.text)
            continue
        if texts:
            yield Text("".join(texts))
            texts = []
        yield part
    if texts:
        yield Text("".join(texts))


def _item(part: Part, facts: ReplyFacts, place: int, status: str) -> dict[str, Any]:
    if isinstance(part, Text):
        return {**_message(part.text, _item_id("msg", facts, place)), "status": status}
    if isinstance(part, Reasoning):
        return {"type": "reasoning", "id": _item_id("rs", facts, place), "summary": [_summary(part.text)]}
    call_id = getattr(part, "id", "") or _item_id("call", facts, place)
    return _function_call(_item_id("fc", facts, place), call_id, part.name, part.arguments)  # type: ignore[union-attr]


def _item_id(kind: str, facts: ReplyFacts, place: int) -> str:
    return f"{kind}_{facts.request_id}_{place}"


def _message(text: str, item_id: str) -> dict[str, Any]:
    return {
        "type": "message",
        "id": item_id,
        "status": "completed",
        "role": "assistant",
        "content": [_output_text(text)],
    }


def _function_call(item_id: str, call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": item_id,
        "status": "completed",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def _output_text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _summary(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}
