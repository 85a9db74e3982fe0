"""Every vendor's recorded answers say the same, as a body, as a stream, and in every dialect of callers."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from farthing.dialects import INBOUND, UPSTREAM
from farthing.dialects.base import Event, ReplyFacts, StreamReader
from farthing.dialects.sse import Framer
from farthing.domain.assembly import Assembly, deltas
from farthing.domain.chat import (
    ChatRequest,
    Choice,
    Completed,
    Completion,
    FinishReason,
    Part,
    Reasoning,
    Text,
    ToolCall,
    Usage,
)
from farthing.domain.errors import UpstreamError, UpstreamTimeout
from tests.conformance.dialects.conversations import ANSWERS

RECORDED = Path(__file__).parents[2] / "wire" / "answers"
VENDORS = sorted(UPSTREAM.keys() - {"responses"})
"""Dialects that every vendor is asked in; the Responses API is only ever passed through."""
BOTH_WAYS = sorted(INBOUND.keys() & set(VENDORS))
STREAMING = sorted(INBOUND.keys() - {"embeddings", "native", "count_tokens"})
"""Dialects of callers whose answers may stream."""
CALLERS = sorted(INBOUND.keys() - {"embeddings", "count_tokens"})
"""Dialects of callers who want a completion."""
CHAT = ChatRequest(model="m", messages=(), stream=True, include_usage=True)
FACTS = ReplyFacts(request_id="r-1", created_s=1_763_600_000)


def body(upstream: str, name: str) -> bytes:
    """The recorded whole answer."""
    return (RECORDED / upstream / f"{name}.json").read_bytes()


def stream(upstream: str, name: str) -> bytes:
    """The recorded stream."""
    return (RECORDED / upstream / f"{name}.sse").read_bytes()


def said(completion: Completion) -> Completion:
    """The completion without what differs between vendors: id, model, and signatures of thinking."""
    choices = tuple(Choice(tuple(_unsigned(part) for part in one.parts), one.finish) for one in completion.choices)
    return structs.replace(completion, id="", model="", choices=choices)


def _unsigned(part: Part) -> Part:
    return Reasoning(part.text) if isinstance(part, Reasoning) else part


def take(assembly: Assembly, reader: StreamReader, events: list[Event]) -> None:
    """Puts the deltas of these events into the assembly."""
    for event in events:
        for delta in reader.read(event).deltas:
            assembly.add(delta)


def assembled(upstream: str, *chunks: bytes) -> Assembly:
    """What a stream that came in these chunks says."""
    framer, reader, assembly = Framer(), UPSTREAM[upstream].stream_reader(), Assembly()
    for chunk in chunks:
        take(assembly, reader, framer.feed(chunk))
    take(assembly, reader, framer.close())
    for delta in reader.close():
        assembly.add(delta)
    return assembly


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("upstream", VENDORS)
def test_every_vendor_says_the_same_as_a_body_and_as_a_stream(upstream: str, name: str) -> None:
    """Text, calls, thinking, reason and tokens do not depend on the vendor nor on streaming; nor does the id."""
    whole = UPSTREAM[upstream].read_completion(body(upstream, name))
    streamed = assembled(upstream, stream(upstream, name))
    assert said(whole) == ANSWERS[name]
    assert said(streamed.completion()) == ANSWERS[name]
    assert streamed.is_complete
    assert (whole.id, whole.model) == (streamed.completion().id, streamed.completion().model)
    assert "" not in {whole.id, whole.model}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("upstream", VENDORS)
def test_a_stream_may_come_byte_by_byte(upstream: str, name: str) -> None:
    """Characters, line ends and JSON escapes that are cut apart are put together again."""
    data = stream(upstream, name)
    sliced = assembled(upstream, *(data[at : at + 1] for at in range(len(data))))
    assert sliced.completion() == assembled(upstream, data).completion()


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("upstream", VENDORS)
def test_a_stream_cut_anywhere_is_never_called_whole(upstream: str, name: str) -> None:
    """At every offset the text so far is a beginning of the answer, and an end mark means that all of it was said."""
    data, expected = stream(upstream, name), ANSWERS[name]
    for offset in range(len(data)):
        framer, reader, assembly = Framer(), UPSTREAM[upstream].stream_reader(), Assembly()
        try:
            take(assembly, reader, framer.feed(data[:offset]))
            take(assembly, reader, framer.close())
            for delta in reader.close():
                assembly.add(delta)
        except UpstreamError:
            assert not assembly.is_complete
            assert expected.text.startswith(assembly.completion().text)
        else:
            assert said(assembly.completion()).choices == expected.choices


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("upstream", VENDORS)
def test_a_stream_is_relayed_byte_for_byte(upstream: str, name: str) -> None:
    """A caller of the same dialect gets what the vendor sent."""
    reader, data = UPSTREAM[upstream].stream_reader(), stream(upstream, name)
    events = Framer().feed(data)
    assert b"".join(reader.read(event).raw for event in events) == data


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("inbound", BOTH_WAYS)
@pytest.mark.parametrize("upstream", VENDORS)
def test_an_answer_is_the_same_in_every_dialect(upstream: str, inbound: str, name: str) -> None:
    """What is written to a caller, whole or as a stream, reads as what the vendor said."""
    completion = UPSTREAM[upstream].read_completion(body(upstream, name))
    written = INBOUND[inbound].write_completion(completion, FACTS)
    assert said(UPSTREAM[inbound].read_completion(written)) == ANSWERS[name]
    writer = INBOUND[inbound].stream_writer(CHAT, FACTS)
    reader = UPSTREAM[upstream].stream_reader()
    events = Framer().feed(stream(upstream, name))
    incoming = [delta for event in events for delta in reader.read(event).deltas] + list(reader.close())
    streamed = assembled(inbound, *(writer.write(delta) for delta in incoming))
    assert said(streamed.completion()) == ANSWERS[name]
    assert streamed.is_complete


@pytest.mark.parametrize("upstream", VENDORS)
@pytest.mark.parametrize("inbound", CALLERS)
def test_every_caller_gets_the_text(inbound: str, upstream: str) -> None:
    """A whole answer is JSON with the text in it."""
    completion = UPSTREAM[upstream].read_completion(body(upstream, "text"))
    written = INBOUND[inbound].write_completion(completion, FACTS)
    assert isinstance(msgspec.json.decode(written), dict)
    assert b'"Paris is the capital of France."' in written


@pytest.mark.parametrize("inbound", BOTH_WAYS)
def test_a_broken_stream_has_no_end(inbound: str) -> None:
    """After the error event a caller's reader raises, and finds no end mark."""
    writer = INBOUND[inbound].stream_writer(CHAT, FACTS)
    *most, end = deltas(ANSWERS["text"])
    assert isinstance(end, Completed)
    sent = b"".join(writer.write(delta) for delta in most[:-2]) + writer.error(UpstreamTimeout("Too slow."))
    with pytest.raises(UpstreamError):
        assembled(inbound, sent)


TEXTS = st.text(min_size=1, max_size=20)
COUNTS = st.integers(0, 1_000_000)
CALLS = st.builds(
    ToolCall,
    st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True),
    st.from_regex(r"[a-z_]{1,12}", fullmatch=True),
    st.dictionaries(TEXTS, TEXTS, max_size=3).map(lambda arguments: msgspec.json.encode(arguments).decode()),
)


@st.composite
def completions(draw: st.DrawFn) -> Completion:
    """Answers that every dialect can say, with at least one token on each side."""
    parts: list[Part] = []
    if draw(st.booleans()):
        parts.append(Reasoning(draw(TEXTS)))
    if draw(st.booleans()):
        parts.append(Text(draw(TEXTS)))
    parts += draw(st.lists(CALLS, max_size=3))
    finish: FinishReason = draw(st.sampled_from(["stop", "length", "tool_calls", "content_filter"]))
    usage = Usage(
        prompt=1 + draw(COUNTS),
        cached=draw(COUNTS),
        cache_write_5m=draw(COUNTS),
        completion=1 + draw(COUNTS),
        reasoning=draw(COUNTS),
    )
    return Completion(id="msg_1", model="m", choices=(Choice(tuple(parts), finish),), usage=usage)


@pytest.mark.parametrize("dialect", BOTH_WAYS)
@given(completion=completions())
def test_any_answer_survives_the_round_trip(dialect: str, completion: Completion) -> None:
    """Whatever was said comes back, written whole or as a stream."""
    whole = INBOUND[dialect].write_completion(completion, FACTS)
    assert UPSTREAM[dialect].read_completion(whole) == completion
    writer = INBOUND[dialect].stream_writer(CHAT, FACTS)
    sent = b"".join(writer.write(delta) for delta in deltas(completion))
    assert assembled(dialect, sent).completion() == completion


@pytest.mark.parametrize("inbound", STREAMING)
def test_nothing_is_sent_after_the_end(inbound: str) -> None:
    """The end mark is written for `Completed`, and for nothing else."""
    writer = INBOUND[inbound].stream_writer(CHAT, FACTS)
    *most, end = deltas(ANSWERS["tools"])
    unfinished = b"".join(writer.write(delta) for delta in most)
    mark = writer.write(end).rstrip(b"\n").rpartition(b"\n")[2]
    assert mark.startswith(b"data: ")
    assert mark not in unfinished
