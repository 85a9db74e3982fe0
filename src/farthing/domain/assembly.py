"""A stream's deltas put together into a whole answer, and a whole answer taken apart into deltas."""

from __future__ import annotations

from collections.abc import Iterator

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

LOOSE = 512
"""Pieces of a text that are kept by themselves: a short string weighs ten times what it says."""


class Assembly:
    """Collects the deltas of one stream, in the order in which they came."""

    __slots__ = ("_choices", "_id", "_model", "is_complete", "usage")

    def __init__(self) -> None:
        self._id = ""
        self._model = ""
        self._choices: dict[int, _OpenChoice] = {}
        self.usage: Usage | None = None
        """The last report, None where none came."""
        self.is_complete = False
        """Whether the end mark was seen."""

    def add(self, delta: Delta) -> str:
        """Takes the next delta in: what it adds to the text, the thinking or the calls, empty if nothing."""
        if isinstance(delta, TextDelta):
            text = delta.text
            choice = self._choices.get(delta.choice) or self._choice(delta.choice)
            texts = choice.texts
            if texts is not None:
                texts.append(text)
                if len(texts) > LOOSE:
                    choice.pack()
            elif text:
                choice.begin_text(text)
            return text
        if isinstance(delta, ToolCallDelta):
            self._choice(delta.choice).add_call(delta)
            return delta.name + delta.arguments if delta.name else delta.arguments
        if isinstance(delta, ReasoningDelta):
            self._choice(delta.choice).add_reasoning(delta)
            return delta.text
        if isinstance(delta, Finished):
            self._choice(delta.choice).finish = delta.reason
        elif isinstance(delta, UsageReport):
            self.usage = delta.usage
        elif isinstance(delta, Started):
            self._id, self._model = delta.id, delta.model
        else:
            self.is_complete = True
        return ""

    @property
    def has_begun(self) -> bool:
        """Whether more came than a greeting and a report: something of a choice, or the end mark."""
        return bool(self._choices) or self.is_complete

    def completion(self) -> Completion:
        """Everything collected so far; a choice that was cut off has no finish reason."""
        return Completion(
            id=self._id,
            model=self._model,
            choices=tuple(self._choices[number].choice() for number in sorted(self._choices)),
            usage=self.usage,
        )

    def _choice(self, number: int) -> _OpenChoice:
        choice = self._choices.get(number)
        if choice is None:
            choice = self._choices[number] = _OpenChoice()
        return choice


def deltas(completion: Completion) -> Iterator[Delta]:
    """The answer as a stream that `Assembly` puts together again; ends in `Completed` if every choice had finished."""
    yield Started(completion.id, completion.model)
    for number, choice in enumerate(completion.choices):
        position = 0
        for part in choice.parts:
            if isinstance(part, Text):
                yield TextDelta(part.text, number)
            elif isinstance(part, Reasoning):
                yield ReasoningDelta(part.text, part.signature, number)
            elif isinstance(part, ToolCall):
                yield ToolCallDelta(position, part.id, part.name, part.arguments, number)
                position += 1
        if choice.finish is not None:
            yield Finished(choice.finish, number)
    if completion.usage is not None:
        yield UsageReport(completion.usage)
    if all(choice.finish is not None for choice in completion.choices):
        yield Completed()


class _OpenPart:
    """A part that may still grow; `kind` is the class of the deltas that it grows by."""

    __slots__ = ("id", "kind", "name", "packed", "signature", "texts")

    def __init__(self, kind: type[TextDelta | ReasoningDelta | ToolCallDelta]) -> None:
        self.kind = kind
        self.texts: list[str] = []
        """What came last."""
        self.packed: list[str] = []
        """What came before that, in long pieces."""
        self.id = ""
        self.name = ""
        self.signature: str | None = None

    def pack(self) -> None:
        """Puts what came by itself together."""
        self.packed.append("".join(self.texts))
        self.texts.clear()

    def part(self) -> Part:
        text = "".join((*self.packed, *self.texts))
        if self.kind is ToolCallDelta:
            return ToolCall(self.id, self.name, text)
        return Reasoning(text, self.signature) if self.kind is ReasoningDelta else Text(text)


class _OpenChoice:
    """One choice while it is being written."""

    __slots__ = ("_calls", "_parts", "finish", "texts")

    def __init__(self) -> None:
        self._parts: list[_OpenPart] = []
        self.texts: list[str] | None = None
        """Those of the last part, where it is text: nearly every delta of a stream goes here."""
        self._calls: dict[int, _OpenPart] = {}
        self.finish: FinishReason | None = None

    def begin_text(self, text: str) -> None:
        self.texts = self._last(TextDelta).texts
        self.texts.append(text)

    def pack(self) -> None:
        """Puts what the last part has said together."""
        self._parts[-1].pack()

    def add_reasoning(self, delta: ReasoningDelta) -> None:
        self.texts = None
        part = self._last(ReasoningDelta)
        part.texts.append(delta.text)
        part.signature = delta.signature
        if len(part.texts) > LOOSE:
            part.pack()

    def add_call(self, delta: ToolCallDelta) -> None:
        part = self._calls.get(delta.position)
        if part is None:
            self.texts = None
            part = self._calls[delta.position] = _OpenPart(ToolCallDelta)
            self._parts.append(part)
        part.id = part.id or delta.id or ""
        part.name = part.name or delta.name or ""
        part.texts.append(delta.arguments)
        if len(part.texts) > LOOSE:
            part.pack()

    def choice(self) -> Choice:
        return Choice(tuple(part.part() for part in self._parts), self.finish)

    def _last(self, kind: type[TextDelta | ReasoningDelta]) -> _OpenPart:
        """The part that text of this kind belongs to: a new one after a change of kind or a signature."""
        last = self._parts[-1] if self._parts else None
        if last is None or last.kind is not kind or last.signature is not None:
            last = _OpenPart(kind)
            self._parts.append(last)
        return last
