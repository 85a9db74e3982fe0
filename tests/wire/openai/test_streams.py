"""Streams as hostile networks and vendors send them: nothing is added, nothing is taken for whole that is not."""

from __future__ import annotations

from farthing.dialects import UPSTREAM
from farthing.dialects.sse import Framer
from farthing.domain.assembly import Assembly
from farthing.domain.errors import UpstreamError

DIALECT = UPSTREAM["openai"]
TEXT = 'Grüße 🦀 "quoted" \\ back\nline'
HEAD = b'{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m",'
ENDING = (
    b"data: " + HEAD + b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b"data: " + HEAD + b'"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}\n\n'
    b"data: [DONE]\n\n"
)


def said(text: bytes) -> bytes:
    """The event that says this piece of JSON text."""
    return b"data: " + HEAD + b'"choices":[{"index":0,"delta":{"content":"' + text + b'"},"finish_reason":null}]}\n\n'


PIECES = ["Grüße ".encode(), "🦀 ".encode(), b'\\"quoted\\" ', b"\\\\ ", b"back\\n", b"\\u006cine"]
STREAM = b": keep-alive\n\n" + b"".join(map(said, PIECES)) + ENDING


def heard(*chunks: bytes) -> tuple[Assembly, bytes, UpstreamError | None]:
    """What came through of a stream, its bytes for a caller who wants no report, and the error it ended with."""
    framer, reader, assembly = Framer(), DIALECT.stream_reader(), Assembly()
    relayed = b""
    try:
        for chunk in (*chunks, None):
            for event in framer.close() if chunk is None else framer.feed(chunk):
                piece = reader.read(event)
                relayed += b"" if piece.is_report else piece.raw
                for delta in piece.deltas:
                    assembly.add(delta)
        for delta in reader.close():
            assembly.add(delta)
    except UpstreamError as error:
        return assembly, relayed, error
    return assembly, relayed, None


def test_the_whole_stream() -> None:
    """The text is the vendor's; the relay drops comments and the usage nobody asked for, and nothing else."""
    assembly, relayed, error = heard(STREAM)
    assert error is None
    assert assembly.is_complete
    assert assembly.completion().text == TEXT
    usage_event = ENDING.split(b"\n\n")[1] + b"\n\n"
    assert relayed == STREAM.removeprefix(b": keep-alive\n\n").replace(usage_event, b"")


def test_byte_by_byte() -> None:
    """Chunks inside of characters, escapes and line ends change nothing."""
    assembly, relayed, error = heard(*(STREAM[at : at + 1] for at in range(len(STREAM))))
    assert (assembly.completion(), relayed, error) == (heard(STREAM)[0].completion(), heard(STREAM)[1], None)


def test_cut_at_every_byte() -> None:
    """Up to the cut the text is a prefix of the vendor's; only after the last finish reason can the stream be whole."""
    whole_from = STREAM.index(b'"stop"}]}') + len(b'"stop"}]}')
    for cut in range(len(STREAM)):
        assembly, _, error = heard(STREAM[:cut])
        completion = assembly.completion()
        assert TEXT.startswith(completion.text)
        if cut < whole_from:
            assert error is not None
            assert not assembly.is_complete


def test_every_line_end_and_several_data_lines() -> None:
    """CRLF, CR, a byte order mark and an event spread over data lines mean the same."""
    expected = heard(STREAM)[0].completion()
    for stream in (
        STREAM.replace(b"\n", b"\r\n"),
        STREAM.replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + STREAM,
        STREAM.replace(b'"choices":', b'\ndata:"choices":'),
        STREAM.replace(b"data: ", b"data:"),
        STREAM.removesuffix(b"\n\n"),
    ):
        assembly, _, error = heard(stream)
        assert (assembly.completion(), assembly.is_complete, error) == (expected, True, None)
