"""What is seen of a prompt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.chat import ChatRequest, Message, Role, Text, Tool
from farthing.domain.routing.complexity import WEIGHTS
from farthing.domain.routing.features import read_features
from farthing.domain.routing.lexicon import INSIDE, PARTS_OF_WORDS, WORDS


def chat(*texts: str, tools: int = 0) -> ChatRequest:
    """A conversation in which a user and an assistant take turns, the user last."""
    roles: tuple[Role, ...] = ("user", "assistant")
    messages = [Message(roles[place % 2], (Text(text),)) for place, text in enumerate(reversed(texts))]
    return ChatRequest(model="auto", messages=tuple(reversed(messages)), tools=(Tool("look"),) * tools)


def parts(*texts: str, tools: int = 0) -> dict[str, float]:
    """The parts of such a conversation that are not 0."""
    return {name: part for name, part in read_features(chat(*texts, tools=tools))[0].items() if part}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello there", {}),
        ("What is Python?", {"code": 0.25}),
        ("Why is the sky blue?", {"reasoning": 0.25}),
        ("PROVE it.", {"reasoning": 1.0}),
        ("prove, prove and prove", {"reasoning": 1.0}),
        ("x = 12 + 30", {"mathematics": 0.14, "code": 0.02}),
        ("It must be short, and only in words.", {"constraints": 0.375}),
        ("one\ntwo\nthree", {"constraints": 0.05}),
        ("```\nf()\n```", {"code": 1.0, "constraints": 0.05}),
        ("Wie ist das?", {"language": 1.0}),
        ("Beweise das.", {"reasoning": 1.0, "language": 0.5}),
        ("Доказать", {"language": 1.0}),
        ("证明", {"reasoning": 1.0, "language": 1.0}),
        ("un café", {"language": 0.62}),
    ],
)
def test_words_and_signs_speak_for_their_part(text: str, expected: dict[str, float]) -> None:
    """Each part has its words, in several languages, and its signs; a word repeated counts once."""
    assert parts(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("words", "length"), [(10, 0.0), (21, 0.0), (43, 1 / 7), (85, 2 / 7), (2_704, 1.0), (50_000, 1.0)]
)
def test_length_grows_with_every_doubling(words: int, length: float) -> None:
    """A text has no length up to 24 tokens, a seventh more for every doubling, and is long at 3,072."""
    assert parts("word " * words).get("length", 0.0) == pytest.approx(length, abs=0.01)


def test_a_text_is_as_long_in_every_script() -> None:
    """The same sentence is of about the same length in English, Russian and Chinese."""
    english = parts("Please summarise the main points of the report that the committee published last week. " * 8)
    russian = parts(
        "Пожалуйста, кратко изложите основные тезисы отчёта, который комитет опубликовал на той неделе. " * 8
    )
    chinese = parts("请总结委员会上周发表的报告的要点,并说明其中的主要观点和结论。" * 8)
    assert [round(found["length"], 1) for found in (english, russian, chinese)] == [0.4, 0.5, 0.4]


def test_a_conversation_and_tools_add_their_parts() -> None:
    """The first question and a system prompt are no conversation; tools count by their number."""
    assert parts("hi", "hello", "hi") == {"turns": pytest.approx(1 / 12)}
    assert parts(*["hi"] * 15) == {"turns": 1.0}
    assert parts("hi", tools=1) == {"tools": 0.35}
    assert parts("hi", tools=14) == {"tools": 1.0}


def test_only_the_last_question_is_read() -> None:
    """A hard question asked before does not make the next one hard."""
    assert parts("Prove the theorem.", "Done.", "Thanks!") == {"turns": pytest.approx(1 / 12)}


def test_of_a_long_text_the_beginning_and_the_end_are_read() -> None:
    """The task may stand before or after the material, not in its middle."""
    filler = "word " * 2_000
    assert parts(f"prove {filler}")["reasoning"] == 1.0
    assert parts(f"{filler} prove")["reasoning"] == 1.0
    assert "reasoning" not in parts(f"{filler} prove {filler}")


@pytest.mark.parametrize(
    ("text", "extent"),
    [
        ("", "0 words"),
        ("hi", "1 word"),
        ("What's a list?", "4 words"),
        ("Was heißt das?", "3 words"),
        ("什么是Python?", "10 characters"),
        ("word " * 1_000, "5,000 characters"),
    ],
)
def test_the_extent_is_told_in_words_where_there_are_words(text: str, extent: str) -> None:
    """Scripts without spaces, and texts too long to be counted, are told in characters."""
    assert read_features(chat(text))[1] == extent


@given(st.text(), st.integers(min_value=0, max_value=200), st.integers(min_value=0, max_value=200))
def test_every_part_stays_within_0_and_1(text: str, turns: int, tools: int) -> None:
    """Whatever a request holds, each part of the score is a share."""
    found, _ = read_features(chat(*[text] * (turns + 1), tools=tools))
    assert list(found) == list(WEIGHTS)
    assert all(0.0 <= part <= 1.0 for part in found.values())


def test_the_lexicon_holds_words_as_the_reader_meets_them() -> None:
    """Words are in lower case, without spaces or signs, and name parts that exist."""
    for word, meanings in WORDS.items():
        assert word.decode() == word.decode().lower()
        assert all(letter.isalpha() for letter in word.decode())
        assert all(position < len(PARTS_OF_WORDS) and 0 < strength <= 100 for position, strength in meanings)
    assert all(not term.isascii() and position < len(PARTS_OF_WORDS) for term, position, _ in INSIDE)


def test_a_request_without_a_question_has_no_parts() -> None:
    """A system prompt alone is nothing to score."""
    only_system = ChatRequest(model="auto", messages=(Message("system", (Text("Prove it."),)),))
    assert set(read_features(only_system)[0].values()) == {0.0}
