"""Events that are like the one before but for their text: understood without decoding, and never otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.dialects import UPSTREAM
from farthing.dialects.base import Event
from farthing.dialects.sse import Framer, frame
from farthing.dialects.stencil import unlearned
from farthing.domain.errors import UpstreamError

OPENAI = b'{"id":"a","object":"chat.completion.chunk","choices":[{"index":1,"delta":{"content":"%b"}%b}],"usage":null}'
ANTHROPIC = b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%b"%b}}'
PADDED = OPENAI[:-1] + b',"obfuscation":"%b"}'
SHAPES = {"openai": OPENAI, "anthropic": ANTHROPIC}
CONTENT = st.one_of(
    st.text().map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.text().map(lambda text: json.dumps(text)[1:-1].encode()),
    st.binary(),
    st.sampled_from([b"a", b" word", b"content", b"text", b"", b'","finish_reason":"stop', b"caf\xc3\xa9", b"\x7f"]),
)
MORE = st.sampled_from([b"", b',"logprobs":null', b',"stop_reason":"end_turn"', b',"finish_reason":"stop"', b","])


def reader(dialect: str) -> Any:
    """One that has heard the beginning of a stream."""
    made = UPSTREAM[dialect].stream_reader()
    if dialect == "openai":
        heard(made, OPENAI % (b"", b""))
    return made


def taught(dialect: str, shape: bytes) -> Any:
    """One that has heard two texts."""
    made = reader(dialect)
    for text in (b"first", b" then"):
        heard(made, shape % (text, b""))
    return made


def heard(reader: Any, data: bytes, name: bytes = b"") -> tuple[Any, Any]:
    """What it understands, or why it does not."""
    try:
        piece = reader.read(Event(name, data, frame(data, name)))
    except UpstreamError as error:
        return error, str(error)
    return [*piece.deltas], piece.raw


@pytest.mark.parametrize("dialect", SHAPES)
@given(said=st.lists(st.tuples(CONTENT, MORE), max_size=12))
def test_a_stream_means_what_it_means_event_by_event(dialect: str, said: list[tuple[bytes, bytes]]) -> None:
    """Whatever it holds, a reader that remembers understands what one does that forgets."""
    remembers, forgets = reader(dialect), reader(dialect)
    for content in said:
        data = SHAPES[dialect] % content
        forgets.skim = unlearned
        first, second = heard(remembers, data), heard(forgets, data)
        assert (str(first[0]), first[1]) == (str(second[0]), second[1])


@given(said=st.lists(st.tuples(CONTENT, MORE, st.one_of(st.from_regex(rb"[A-Za-z0-9]+", fullmatch=True), CONTENT))))
def test_padding_is_of_no_meaning(said: list[tuple[bytes, bytes, bytes]]) -> None:
    """OpenAI adds some to each event, of another length each time."""
    remembers, forgets = reader("openai"), reader("openai")
    for content in said:
        forgets.skim = unlearned
        first, second = heard(remembers, PADDED % content), heard(forgets, PADDED % content)
        assert (str(first[0]), first[1]) == (str(second[0]), second[1])


def test_a_padded_text_is_recognised_after_the_second() -> None:
    """Whatever its padding is, as long as that are letters and digits."""
    remembers = reader("openai")
    for text, padding in ((b"first", b"x8A"), (b" then", b"y")):
        heard(remembers, PADDED % (text, b"", padding))
    paddings = (b"0aZ", b"y", b"", b"a b", b'a"')
    texts = [skimmed(remembers, PADDED % (b" next", b"", padding)) for padding in paddings]
    assert texts == [" next", " next", None, None, None]
    assert skimmed(remembers, OPENAI % (b" next", b"")) is None


@pytest.mark.parametrize("dialect", SHAPES)
def test_a_text_is_recognised_after_the_second(dialect: str) -> None:
    """Nothing is decoded for it; what needs it still is."""
    shape = SHAPES[dialect]
    remembers = taught(dialect, shape)
    said = (b" next", b"caf\xc3\xa9", b'a"b', b"\\n", b"\xff", b"\n", b"")
    texts = [skimmed(remembers, shape % (text, b"")) for text in said]
    assert texts == [" next", "café", None, None, None, None, None]
    assert skimmed(remembers, shape % (b"next", b',"logprobs":null')) is None
    [delta], _ = heard(remembers, shape % (b"\\n", b""))
    assert delta.text == "\n"


def test_the_end_and_errors_are_seen_as_ever() -> None:
    """After the end mark nothing is said, and an event that is named an error is one."""
    openai, anthropic = taught("openai", OPENAI), taught("anthropic", ANTHROPIC)
    assert isinstance(heard(openai, OPENAI % (b"next", b""), b"error")[0], UpstreamError)
    assert heard(openai, b"[DONE]")[0]
    assert not heard(openai, OPENAI % (b"next", b""))[0]
    assert heard(anthropic, b'{"type":"message_stop"}')[0]
    assert not heard(anthropic, ANTHROPIC % (b"next", b""))[0]


@pytest.mark.parametrize(
    ("dialect", "data"),
    [
        ("openai", b'{"choices":[{"delta":{"content":"%b"}}],"model":"same"}'),
        ("openai", b'{"choices":[{"delta":{"content":"\\u0020%b"}}]}'),
        ("openai", b'{"choices":[{"delta":{"content":"a"}},{"index":1,"delta":{"content":"%b"}}]}'),
        ("openai", b'{"choices":[{"delta":{"reasoning":"%b"}}]}'),
        ("openai", b'{"choices":[{"delta":{"content":"%b","x":NaN}}]}'),
        ("openai", b'{"choices":[{"delta":{"content":"%b"}}],"usage":null,"usage":{"prompt_tokens":1}}'),
        ("openai", b'{"note":"%b","choices":[{"delta":{"content":"\\u0073ame"}}]}'),
        ("anthropic", b'{"type":"content_block_delta","n":"same","delta":{"type":"text_delta","text":"%b"}}'),
        ("anthropic", b'{"type":"content_block_delta","n":"%b","delta":{"type":"text_delta","text":"\\u0073ame"}}'),
        ("anthropic", b'{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"%b"}}'),
        ("anthropic", b'{"type":"content_block_start","content_block":{"type":"text","text":"%b"}}'),
    ],
)
def test_nothing_is_learned_where_a_text_may_not_be_where_it_seems(dialect: str, data: bytes) -> None:
    """Twice in the event, elsewhere than it seems, beside another, or no text at all."""
    remembers = reader(dialect)
    assert heard(remembers, data % b"same")[0]
    assert heard(remembers, data % b"else")[0]
    assert remembers.skim is unlearned


@pytest.mark.parametrize("dialect", SHAPES)
def test_nothing_is_learned_of_events_that_differ_in_more_than_their_text(dialect: str) -> None:
    """Nor of two that say the same: it takes a difference to see where a text stands."""
    remembers, shape = reader(dialect), SHAPES[dialect]
    for content in ((b"first", b""), (b"first", b""), (b"then", b',"x":1'), (b"next", b"")):
        assert heard(remembers, shape % content)[0]
    assert remembers.skim is unlearned
    heard(remembers, shape % (b"at last", b""))
    assert remembers.skim is not unlearned


@pytest.mark.parametrize(
    "form", [b"data: %b\r\n\r\n", b"data: %b\r\n\n", b"data:%b\n\n", b"data: %b\nid: 1\n\n", b": hello\ndata: %b\n\n"]
)
@pytest.mark.parametrize("dialect", SHAPES)
def test_nothing_is_learned_of_an_event_that_is_written_unlike_most(dialect: str, form: bytes) -> None:
    """By other ends of lines, or with more of them: its bytes alone would not tell where it ends."""
    remembers, framer = reader(dialect), Framer()
    for text in (b"first", b"then", b"next"):
        for event in framer.feed(form % (SHAPES[dialect] % (text, b""))):
            assert remembers.read(event).deltas
    assert remembers.skim is unlearned


@pytest.mark.parametrize("dialect", SHAPES)
def test_only_whole_events_are_recognised(dialect: str) -> None:
    """Less than one, more than one, or one with another name is none of them."""
    remembers, data = reader(dialect), SHAPES[dialect]
    for text in (b"first", b"then"):
        heard(remembers, data % (text, b""), b"said")
    raw = frame(data % (b"next", b""), b"said")
    assert remembers.skim(raw).raw == raw
    others = (raw[:-1], raw[1:], raw + b"\n", raw + raw, raw.replace(b"said", b"told"), frame(data % (b"next", b"")))
    assert [remembers.skim(other) for other in others] == [None] * len(others)


def skimmed(reader: Any, data: bytes) -> str | None:
    """What it sees that an event says, without decoding it."""
    piece = reader.skim(frame(data))
    return piece.deltas[0].text if piece else None
