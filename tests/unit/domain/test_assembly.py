"""Streams put together into answers, and answers taken apart into streams."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from functools import partial

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain import assembly as domain_assembly
from farthing.domain.assembly import Assembly, deltas
from farthing.domain.chat import (
    Choice,
    Completed,
    Completion,
    Delta,
    Finished,
    FinishReason,
    Image,
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

texts = st.text(max_size=5)
signed = st.builds(Reasoning, texts, st.text(max_size=3))
calls = st.builds(ToolCall, st.text(min_size=1, max_size=3), st.text(min_size=1, max_size=3), texts)
parts = st.builds(Text, st.text(min_size=1, max_size=5)) | st.builds(Reasoning, texts) | signed | calls
finishes: st.SearchStrategy[FinishReason | None] = st.sampled_from(["stop", "length", "tool_calls", None])


def is_normal(made: list[Text | Reasoning | ToolCall]) -> bool:
    """Whether no two neighbours are one part in the eyes of a stream."""
    return not any(
        type(left) is type(right) and not isinstance(left, ToolCall) and getattr(left, "signature", None) is None
        for left, right in itertools.pairwise(made)
    )


choices = st.builds(Choice, st.lists(parts, min_size=1, max_size=5).filter(is_normal).map(tuple), finishes)
completions = st.builds(
    Completion,
    id=texts,
    model=texts,
    choices=st.lists(choices, max_size=3).map(tuple),
    usage=st.none() | st.builds(Usage, prompt=st.integers(0, 9), completion=st.integers(0, 9)),
)


def assembled(*stream: Delta) -> Assembly:
    """An assembly that has taken these deltas in."""
    assembly = Assembly()
    for delta in stream:
        assembly.add(delta)
    return assembly


@given(completions)
def test_a_stream_of_an_answer_is_that_answer(completion: Completion) -> None:
    """Taken apart and put together again, nothing has changed."""
    assembly = assembled(*deltas(completion))
    assert assembly.completion() == completion
    assert assembly.is_complete is all(choice.finish is not None for choice in completion.choices)


@given(completions, st.data())
def test_pieces_of_deltas_add_up(completion: Completion, data: st.DataObject) -> None:
    """However finely text and arguments are cut, the answer is the same."""
    stream: list[Delta] = []
    for delta in deltas(completion):
        if isinstance(delta, TextDelta):
            stream += [TextDelta(character, delta.choice) for character in delta.text]
        elif isinstance(delta, ReasoningDelta):
            at = data.draw(st.integers(0, len(delta.text)))
            stream.append(ReasoningDelta(delta.text[:at], None, delta.choice))
            stream.append(ReasoningDelta(delta.text[at:], delta.signature, delta.choice))
        elif isinstance(delta, ToolCallDelta):
            stream.append(msgspec.structs.replace(delta, arguments=""))
            stream += [ToolCallDelta(delta.position, arguments=c, choice=delta.choice) for c in delta.arguments]
        else:
            stream.append(delta)
    assert assembled(*stream).completion() == completion


def test_parts_keep_their_order_and_usage_its_last_report() -> None:
    """Parts stand as they came, pieces of parallel calls find their call, choices are sorted."""
    assembly = assembled(
        Started("r1", "m"),
        UsageReport(Usage(prompt=3)),
        ReasoningDelta("hm"),
        TextDelta("a"),
        ToolCallDelta(0, "c0", "f", '{"x":'),
        ToolCallDelta(1, "c1", "g", ""),
        ToolCallDelta(0, arguments="1}"),
        TextDelta(""),
        TextDelta("b"),
        TextDelta("other", choice=1),
        Finished("tool_calls"),
        UsageReport(Usage(prompt=3, completion=5)),
    )
    assert assembly.completion() == Completion(
        id="r1",
        model="m",
        choices=(
            Choice(
                (Reasoning("hm"), Text("a"), ToolCall("c0", "f", '{"x":1}'), ToolCall("c1", "g", ""), Text("b")),
                "tool_calls",
            ),
            Choice((Text("other"),), None),
        ),
        usage=Usage(prompt=3, completion=5),
    )
    assert assembly.usage == Usage(prompt=3, completion=5)
    assert not assembly.is_complete
    assembly.add(Completed())
    assert assembly.is_complete


@pytest.mark.parametrize("kind", [TextDelta, ReasoningDelta, partial(ToolCallDelta, 0, "id", "name")])
def test_a_long_answer_in_short_pieces_takes_little_more_than_its_length(kind: Callable[[str], Delta]) -> None:
    """What a slow client has not read yet of many answers must not be the gateway's end."""
    said = [f"{number:04x}" for number in range(20_000)]
    tracemalloc.start()
    assembly = Assembly()
    for text in said:
        assembly.add(kind("".join(text)))
    # What counts coverage has memory of its own.
    ours = [tracemalloc.Filter(inclusive=True, filename_pattern=path) for path in (__file__, domain_assembly.__file__)]
    held = sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(ours).traces)
    tracemalloc.stop()
    assert 4 * 20_000 <= held < 2 * 4 * 20_000
    [part] = assembly.completion().choices[0].parts
    assert (part.arguments if isinstance(part, ToolCall) else getattr(part, "text", "")) == "".join(said)


def test_a_signature_closes_its_block() -> None:
    """Thinking after a signature is a block of its own."""
    assembly = assembled(ReasoningDelta("a"), ReasoningDelta("b", "s"), ReasoningDelta("c"))
    assert assembly.completion().choices[0].parts == (Reasoning("ab", "s"), Reasoning("c"))


def test_what_cannot_be_streamed_is_left_out() -> None:
    """A picture in an answer has no delta."""
    completion = Completion(id="", model="", choices=(Choice((Image(url="https://x"), Text("a")), "stop"),))
    assert list(deltas(completion)) == [Started("", ""), TextDelta("a"), Finished("stop"), Completed()]


@pytest.mark.parametrize(("finish", "ends"), [("stop", True), (None, False)])
def test_only_a_finished_answer_ends_in_its_end_mark(finish: FinishReason | None, ends: bool) -> None:
    """An answer that was cut off is never replayed as complete."""
    stream = list(deltas(Completion(id="", model="", choices=(Choice((Text("a"),), finish),))))
    assert (stream[-1] == Completed()) is ends


def test_nothing_yet() -> None:
    """An empty stream is an empty answer."""
    assert Assembly().completion() == Completion(id="", model="", choices=())
