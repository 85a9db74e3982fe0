"""Events cut out of a stream: the same ones, however its bytes arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.dialects import sse
from farthing.dialects.base import Event
from farthing.domain.errors import UpstreamInvalid

ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
lines = st.sampled_from(
    [
        b"data: {}",
        b"data:x",
        b"data:  two",
        b"data",
        b"data: \xc3\xa9\xf0\x9f\xa6\x80",
        b"event: ping",
        b"event:x",
        b": comment",
        b":",
        b"id: 7",
        b"retry: 1",
        b"nonsense",
        b"",
        b"",
    ]
)
streams = st.tuples(
    st.sampled_from([b"", b"\xef\xbb\xbf", b"\xef"]), st.lists(st.tuples(lines, ends).map(b"".join), max_size=20)
).map(lambda pair: pair[0] + b"".join(pair[1]))


def events_of(*chunks: bytes, limit: int = sse.MAX_EVENT) -> list[Event]:
    """All events of a stream that arrives in these chunks."""
    framer = sse.Framer(limit)
    return [event for chunk in chunks for event in framer.feed(chunk)] + framer.close()


@given(streams | st.binary(max_size=80), st.data())
def test_chunks_do_not_matter(stream: bytes, data: st.DataObject) -> None:
    """One chunk, any chunks, or a byte at a time: the events are the same, their raw bytes included."""
    whole = events_of(stream)
    assert events_of(*(stream[at : at + 1] for at in range(len(stream)))) == whole
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert events_of(*chunks) == whole


@given(streams)
def test_events_mean_what_the_standard_says(stream: bytes) -> None:
    """Names and data agree with a plain line-by-line reader."""
    name = b""
    data: list[bytes] = []
    expected: list[tuple[bytes, bytes]] = []
    text = stream.removeprefix(b"\xef\xbb\xbf")
    for line in [*text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"), b""]:
        field, _, value = line.partition(b":")
        if not line:
            expected += [(name, b"\n".join(data))] if data else []
            name, data = b"", []
        elif field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    assert [(event.name, event.data) for event in events_of(stream)] == expected


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: x\n\n", [Event(b"", b"x", b"data: x\n\n")]),
        (b"data:x\r\n\r\n", [Event(b"", b"x", b"data:x\r\n\r\n")]),
        (b"data: x\r\r", [Event(b"", b"x", b"data: x\r\r")]),
        (b"event: e\ndata: a\ndata: b\n\n", [Event(b"e", b"a\nb", b"event: e\ndata: a\ndata: b\n\n")]),
        (b": hello\n\ndata: x\n\n", [Event(b"", b"x", b"data: x\n\n")]),
        (b": hello\ndata: x\n\n", [Event(b"", b"x", b": hello\ndata: x\n\n")]),
        (b"event: e\n\n", []),
        (b"\xef\xbb\xbfdata: x\n\n", [Event(b"", b"x", b"data: x\n\n")]),
        (b"data: x", [Event(b"", b"x", b"data: x\n\n")]),
        (b"data: x\n", [Event(b"", b"x", b"data: x\n\n")]),
        (b"data: x\r\n", [Event(b"", b"x", b"data: x\r\n\n")]),
        (b"", []),
    ],
)
def test_frames(stream: bytes, events: list[Event]) -> None:
    """Every form of line end, comments, names, several data lines, and an end without its blank line."""
    assert events_of(stream) == events


def test_the_usual_chunk_is_cut_at_once() -> None:
    """Events are handed out with the chunk that ends them, and not before."""
    framer = sse.Framer()
    assert framer.feed(b"data: 1\n\n") == [Event(b"", b"1", b"data: 1\n\n")]
    assert [event.data for event in framer.feed(b"data: 2\n\n: ping\n\nevent: e\ndata: 3\n\ndata: 4")] == [b"2", b"3"]
    assert framer.feed(b"\n") == []
    assert [event.data for event in framer.feed(b"\n")] == [b"4"]
    assert framer.feed(b"event: e\ndata: 5\n\n") == [Event(b"e", b"5", b"event: e\ndata: 5\n\n")]
    assert framer.close() == []


def test_an_event_may_not_grow_without_end() -> None:
    """Over the limit the stream is refused, in one chunk or in many, ended or not."""
    for chunks in ([b"data: 12345\n\n"], [b"data", b": 1234", b"567"], [b": x\n\n", b"data: 1234567"]):
        with pytest.raises(UpstreamInvalid, match="of more than 12 bytes"):
            events_of(*chunks, limit=12)
    assert len(events_of(b"data: 1234\n\n", limit=12)) == 1


@pytest.mark.parametrize("cut", [b"", b"\n", b"\r", b"\r\n"])
def test_an_event_that_is_cut_off_does_not_run_into_what_is_said_after_it(cut: bytes) -> None:
    """Wherever its last line's end was cut, it is relayed with a blank line, so that an error may follow."""
    [event] = events_of(b"data: 1" + cut)
    assert [each.data for each in events_of(event.raw + b"data: 2\n\n")] == [b"1", b"2"]


def test_what_came_before_a_long_event_is_still_handed_out() -> None:
    """The good events of a chunk are kept; the next call raises, whether more comes or not."""
    framer = sse.Framer(limit=12)
    assert [event.data for event in framer.feed(b"data: 1\n\ndata: 123456789\n\n")] == [b"1"]
    with pytest.raises(UpstreamInvalid):
        framer.feed(b"data: 2\n\n")
    framer = sse.Framer(limit=12)
    assert [event.data for event in framer.feed(b"data: 1\n\ndata: 123456789")] == [b"1"]
    with pytest.raises(UpstreamInvalid):
        framer.close()
    framer = sse.Framer(limit=12)
    framer.feed(b"data: 1\r\rdata: 1234\r\r")
    assert [event.data for event in framer.close()] == [b"1234"]


def test_a_long_event_in_small_pieces_takes_linear_time() -> None:
    """Bytes that were searched are not searched again: a megabyte in single bytes is read within the time limit."""
    framer = sse.Framer()
    for _ in range(sse.MAX_EVENT // 4):
        assert framer.feed(b"abcd") == []


def test_frame() -> None:
    """An event is written with a name where the dialect has names."""
    assert sse.frame(b"{}") == b"data: {}\n\n"
    assert sse.frame(b"{}", b"ping") == b"event: ping\ndata: {}\n\n"
