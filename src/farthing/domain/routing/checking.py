"""What tells whether an answer is right without knowing the right one: a second answer, or its own model's doubt."""

from __future__ import annotations

import re
from typing import Literal

from farthing.domain.catalogue import Model
from farthing.domain.chat import ChatRequest, Message, Text

Check = Literal["agreement", "self_check"]

LONGEST_FINAL = 80
"""Characters of an answer that two answers can be expected to give in the same words."""
TOKENS_OUT = 16
"""For a number and a word or two around it."""
THINKING_TOKENS_OUT = 512
"""The same of a model that thinks before it says so."""
_END = 200
"""Characters in which a longer answer must say what it comes to."""
_QUESTION = (
    "How likely is it that your last answer is correct and does all that was asked? Think of what could be wrong "
    "with it. Reply with one whole number from 0 (certainly wrong) to 100 (certainly right), and nothing else."
)
_MARKED = re.compile(r"(?s:.*)(?:####|\banswer(?: is|:))[\s:*$]*([^\n]{1,80})$", re.IGNORECASE)
"""The last mark of several: what stands before it is no part of the answer."""
_BOXED = re.compile(r"\\boxed\{([^{}\n]{1,80})\}[^\n]{0,10}$")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")
_NO_WORDS = re.compile(r"[^\w.+/<=>%-]+")
_PROBABILITY = re.compile(r"[^\d-]*(\d{1,3}(?:\.\d+)?)[^\d]*")


def check_for(chat: ChatRequest, text: str) -> Check:
    """What to check an answer by: a second one where two would say the same words and could differ, else its doubt."""
    varies = chat.temperature != 0 and chat.seed is None
    return "agreement" if varies and final_answer(text) is not None else "self_check"


def final_answer(text: str) -> str | None:
    """What a short answer, or the last line of a longer one, comes to, in a form in which equals are equal.

    None where the text is no short answer and does not mark one.
    """
    said = text.strip()
    end = said[-_END:]
    found = _BOXED.search(end) or _MARKED.search(end)
    if found is not None:
        said = found[1]
    elif len(said) > LONGEST_FINAL or "\n" in said:
        return None
    return _normal(said) or None


def agreement(first: str, second: str) -> float:
    """1 where both answers come to the same, else 0."""
    final = final_answer(first)
    return float(final is not None and final == final_answer(second))


def self_check(chat: ChatRequest, text: str, model: Model) -> ChatRequest:
    """The question to a model how sure it is of its own answer `text` (Kadavath et al. 2022, section 3, in words)."""
    asked = (*chat.messages, Message("assistant", (Text(text),)), Message("user", (Text(_QUESTION),)))
    thinks = "reasoning" in model.capabilities
    return ChatRequest(
        model=model.name,
        messages=asked,
        max_tokens=THINKING_TOKENS_OUT if thinks else TOKENS_OUT,
        reasoning_effort="low" if thinks else None,
        user=chat.user,
    )


def read_probability(text: str) -> float | None:
    """How sure (0..1) the model says it is; None where it says anything but one number of 0 to 100."""
    found = _PROBABILITY.fullmatch(text.strip())
    percent = float(found[1]) if found else -1.0
    return percent / 100 if 0 <= percent <= 100 else None  # noqa: PLR2004 - per cent


def _normal(said: str) -> str:
    """Without marks, capitals, and what makes numbers easier to read."""
    words = " ".join(_NO_WORDS.sub(" ", _GROUPED.sub("", said.casefold())).split()).strip(".")
    return words.rstrip("0").rstrip(".") if "." in words and _NUMBER.fullmatch(words) else words
