"""Numbers that tell prompts apart without knowing what they are about: lengths, signs, layout, kinds of words."""

from __future__ import annotations

import re
from collections import Counter
from math import log1p

_KINDS = {
    "negation": "not except never no false incorrect least",
    "supposition": "if suppose assume",
    "comparison": "more less fewer than times twice",
    "time": "day days hour hours minute minutes week weeks month months year years",
    "share": "half third quarter fraction fractions percent percentage",
    "each": "each every per",
    "rest": "left remain remains remaining total altogether rest",
    "what": "what",
    "why": "why explain",
    "how": "how",
    "amount": "many much",
    "which": "which",
    "who": "who",
    "where": "when where",
    "both": "all none both statement",
    "following": "following",
    "program": "def function functions python",
}
NAMES = (
    "characters",
    "words",
    "word length",
    "numbers",
    "different numbers",
    "largest number",
    "decimals",
    "percent signs",
    "dollar signs",
    "lines",
    "question marks",
    "options",
    "option length",
    "longest option",
    "stem",
    "capitals",
    "mathematical signs",
    "program signs",
    "quotes",
    "blanks",
    "different words",
    "sentences",
    "sentence length",
    "ends in a question",
    "letters beyond ASCII",
    "rareness",
    "rarest words",
    "pieces of a word",
    *_KINDS,
)
"""What each number of `traits_of` tells."""

_KIND = {word: place for place, words in enumerate(_KINDS.values()) for word in words.split()}
_KNOWN = frozenset(_KIND)
_OPTION = re.compile(r"^[ \t]*\(?[A-J1-9][.):][ \t]+(.*)", re.MULTILINE)
_LARGEST_DIGITS = 15
_COMMON = 1_000
"""Pieces below are the encoder's own marks and `!`: no text's words. Signs and letters follow."""


def traits_of(text: str, tokens: list[str], pieces: list[int]) -> list[float]:
    """One number for each of `NAMES`; counts and lengths as the logarithm of one more."""
    counts = Counter(tokens)
    numbers = [token for token in tokens if token[0].isdigit()]
    words = [token for token in tokens if token[0].isalpha()]
    chars, letters = len(text), sum(map(len, words))
    options = [len(option) for option in _OPTION.findall(text)]
    ends = counts["."] + counts["?"] + counts["!"] or 1
    return [
        log1p(chars),
        log1p(len(words)),
        letters / (len(words) or 1),
        log1p(len(numbers)),
        log1p(len(set(numbers))),
        log1p(max(map(_size, numbers), default=0.0)),
        log1p(sum("." in number for number in numbers)),
        log1p(counts["%"]),
        log1p(counts["$"]),
        log1p(text.count("\n")),
        log1p(counts["?"]),
        log1p(len(options)),
        log1p(sum(options) / (len(options) or 1)),
        log1p(max(options, default=0)),
        log1p(chars - sum(options)),
        sum(map(str.isupper, text)) / (chars or 1),
        log1p(sum(counts[sign] for sign in "=+*/^<>\\")),
        log1p(sum(counts[sign] for sign in "{}[];`|")),
        log1p(counts['"'] + counts["“"]),
        log1p(sum(token[0] == "_" for token in counts)),
        len(set(words)) / (len(words) or 1),
        log1p(ends),
        log1p(chars / ends),
        float(text.rstrip().endswith("?")),
        log1p(chars - len(text.encode("ascii", "ignore"))),
        *_rareness(pieces),
        len(pieces) / (len(words) + len(numbers) or 1),
        *_kinds(counts),
    ]


def _kinds(counts: Counter[str]) -> list[float]:
    sums = [0] * len(_KINDS)
    for word in _KNOWN.intersection(counts):
        sums[_KIND[word]] += counts[word]
    return [log1p(found) for found in sums]


def _rareness(pieces: list[int]) -> tuple[float, float]:
    """Mean logarithm of the rank of pieces of words and signs, and the one that a tenth of them exceed."""
    ranks = sorted(log1p(piece) for piece in pieces if piece >= _COMMON)
    return (sum(ranks) / len(ranks), ranks[len(ranks) * 9 // 10]) if ranks else (log1p(_COMMON), log1p(_COMMON))


def _size(number: str) -> float:
    """The whole part of a number that may be set with commas."""
    whole = number.partition(".")[0].replace(",", "")[:_LARGEST_DIGITS]
    return float(whole) if whole.isdecimal() else 0.0
