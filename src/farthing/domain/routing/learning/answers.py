"""Signs in an answer that it may be wrong: sums that do not come out, figures left unused, hedging, an unusual form."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import log1p

from farthing.domain.routing.learning.terms import excerpt

NAMES = (
    "characters",
    "characters to the prompt's",
    "lines",
    "numbers",
    "new numbers",
    "numbers of the prompt unused",
    "share of them",
    "last number is the prompt's",
    "last number",
    "last number to the prompt's largest",
    "last number is whole",
    "decimals of the last number",
    "last number repeated",
    "no number",
    "fractions",
    "sums",
    "wrong sums",
    "share of wrong sums",
    "negative results",
    "hedging",
    "refusal",
    "unfinished",
    "repeated lines",
    "words of the prompt",
    "own words",
    "last line",
    "program",
    "supposition",
    "conclusion",
    "question",
)
"""What each number of `signs_of` tells."""

_NUMBER = re.compile(r"(?<![\w.])[0-9][0-9,]*(?:\.[0-9]+)?")
_PART = re.compile(r"[0-9][0-9,]*(?:\.[0-9]+)?%?|[^\W\d_]+|\S")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_WORKING = re.compile(r"<<[^<>]*>>|[$€£]")
"""Marks that stand between the parts of a sum."""
_REFUSAL = re.compile(r"\b(?:sorry|cannot|can't|unable|not enough|impossible)\b")
_ENDING = re.compile(r"[.!?\d`)*%\]}\"']\s*$")
_NEGATIVE = re.compile(r"=\s*[-−]\d")
_HEDGES = (
    "about",
    "approximately",
    "around",
    "assume",
    "assuming",
    "however",
    "insufficient",
    "maybe",
    "might",
    "perhaps",
    "probably",
    "roughly",
    "unclear",
    "wait",
)
_SUPPOSITIONS = ("if", "let", "let's", "suppose")
_CONCLUSIONS = ("so", "therefore", "thus", "hence")
_TIMES, _OVER = "*x\u00d7\u00b7", "/\u00f7"
_OPERATORS = frozenset(f"{_TIMES}{_OVER}+-−")
_DIGITS = "0123456789"
_END = (".", ".")
_ROUNDED, _CENT = 0.006, 0.0051
"""A result may be as much off, relative or absolute, and is still taken as rounded."""
_LARGEST = 1e12


def signs_of(prompt: str, answer: str) -> list[float]:
    """One number for each of `NAMES`; counts, lengths and sizes as the logarithm of one more."""
    prompt, answer = excerpt(prompt), excerpt(answer)
    text = _WORKING.sub("", answer)
    return [
        *_extent(prompt, answer),
        *_figures(_numbers(prompt), _numbers(text)),
        *_sums(text),
        *_wording(prompt, answer, text),
    ]


def _extent(prompt: str, answer: str) -> list[float]:
    lines = sum(1 for line in answer.splitlines() if line.strip())
    return [log1p(len(answer)), log1p(len(answer)) - log1p(len(prompt)), log1p(lines)]


def _figures(given: Sequence[float], used: Sequence[float]) -> list[float]:
    """How the numbers of an answer go with those of its prompt."""
    known, found = set(given), set(used)
    last = used[-1] if used else 0.0
    largest = max(given, default=0.0)
    return [
        log1p(len(used)),
        log1p(len(found - known)),
        log1p(len(known - found)),
        len(known - found) / (len(known) or 1),
        float(bool(used) and last in known),
        log1p(last),
        log1p(last) - log1p(largest),
        float(last % 1 == 0),
        float(len(f"{last:.4f}".rstrip("0").partition(".")[2])),
        float(used.count(last) > 1),
        float(not used),
        log1p(sum(value % 1 != 0 for value in used)),
    ]


def _sums(text: str) -> list[float]:
    right, wrong = sums_in(text)
    return [log1p(right + wrong), log1p(wrong), wrong / ((right + wrong) or 1), float(bool(_NEGATIVE.search(text)))]


def _wording(prompt: str, answer: str, text: str) -> list[float]:
    asked, words = set(_WORD.findall(prompt.lower())), Counter(_WORD.findall(text.lower()))
    lines = [line for line in answer.splitlines() if line.strip()]
    return [
        log1p(sum(words[word] for word in _HEDGES)),
        float(bool(_REFUSAL.search(text.lower()))),
        float(not _ENDING.search(answer)),
        1 - len(set(lines)) / (len(lines) or 1),
        len(asked & words.keys()) / (len(asked) or 1),
        len(words.keys() - asked) / (len(words) or 1),
        log1p(len(lines[-1]) if lines else 0),
        float("```" in answer),
        log1p(sum(words[word] for word in _SUPPOSITIONS)),
        log1p(sum(words[word] for word in _CONCLUSIONS)),
        float("?" in answer),
    ]


def sums_in(text: str) -> tuple[int, int]:
    """How many sums such as `3 * 4 + 1 = 13` come out right, and how many do not; those in brackets are not read."""
    counts = [0, 0]
    values: list[float] = []
    operators: list[str] = []
    parts = [*_PART.findall(text), *_END]
    for part, after, beyond in zip(parts, parts[1:], parts[2:], strict=False):
        is_open = len(values) == len(operators)
        if part[0] in _DIGITS:
            values, operators = ([*values, _value(part)], operators) if is_open else ([_value(part)], [])
        elif part in _OPERATORS and not is_open:
            operators.append(part)
        else:
            is_sum = part == "=" and bool(operators) and not is_open
            if is_sum and after[0] in _DIGITS and beyond not in _OPERATORS:
                counts[not _comes_to(values, operators, _value(after))] += 1
            values, operators = [], []
    return counts[0], counts[1]


def _comes_to(values: Sequence[float], operators: Sequence[str], said: float) -> bool:
    """Whether the result is right, points before lines."""
    terms = [values[0]]
    for operator, value in zip(operators, values[1:], strict=True):
        if operator in _TIMES:
            terms[-1] *= value
        elif operator in _OVER:
            if not value:
                return False
            terms[-1] /= value
        else:
            terms.append(value if operator == "+" else -value)
    total = sum(terms)
    return abs(total - said) <= max(_ROUNDED * abs(total), _CENT)


def _numbers(text: str) -> list[float]:
    return [_value(number) for number in _NUMBER.findall(text)]


def _value(number: str) -> float:
    """At most 10¹²; a percentage is a hundredth of its number."""
    size = min(float(number.rstrip("%").replace(",", "")), _LARGEST)
    return size / 100 if number.endswith("%") else size
