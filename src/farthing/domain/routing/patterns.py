"""What kind of thing a prompt asks for, told from its words."""

from __future__ import annotations

import re
from typing import Literal, get_args

Pattern = Literal["code", "reasoning", "creative", "analysis", "explanation", "factual", "general"]

_SCAN_CHARS = 1_024
"""Of a longer text the first and the last this many characters are read: what is asked stands at one of its ends."""
_OPENING = 2
"""A word that a prompt begins with counts so many times."""
_ENOUGH = 2
"""Strength from which words speak for a pattern; one strong word does, two weak ones do."""

# Words in lower case by pattern, the strong ones first.
_WORDS: dict[Pattern, tuple[str, str]] = {
    "code": (
        """python javascript typescript java rust golang kotlin haskell bash powershell sql html css regex unittest
        pytest traceback compiler refactor debug dockerfile kubernetes codebase println def function""",
        """code method class api query script program algorithm array string loop variable exception bug
        return int tuple funktion fonction función código programm""",
    ),
    "reasoning": (
        """prove proof derive solve calculate compute integral equation theorem puzzle riddle probability deduce
        frac sqrt beweise berechne löse démontre démontrer calcule résous demuestra calcula resuelve""",
        """many much total if then suppose assume each clue clues find value twice half percent remain remaining sum
        average therefore wenn wieviel combien si cuánto""",
    ),
    "creative": (
        """poem haiku story tale limerick slogan lyrics rhyme novel brainstorm imagine fairy fanfiction
        gedicht geschichte erzähle poème histoire conte poema cuento historia""",
        "invent character dialogue scene title song draft pretend funny",
    ),
    "analysis": (
        """analyze analyse analysis compare evaluate assess critique contrast summarize summarise classify review
        sentiment analysiere vergleiche bewerte compare évalue résume analiza evalúa resume""",
        """advantages disadvantages pros cons differences strengths weaknesses trends implications versus vs
        unterschiede avantages ventajas""",
    ),
    "explanation": (
        """explain why describe elaborate clarify teach erkläre warum weshalb beschreibe explique pourquoi décris
        explica describe""",
        "how works work mean means understand difference concept basics wie comment cómo",
    ),
    "factual": (
        """who when where define capital wer wann wo qui quand quién cuándo dónde""",
        "what which name list was is year date country was welche quel quelle qué cuál",
    ),
}
_KNOWN: dict[str, list[tuple[Pattern, int]]] = {}
for _pattern, _lists in _WORDS.items():
    for _strength, _words in zip((2, 1), _lists, strict=True):
        for _word in set(_words.split()):
            _KNOWN.setdefault(_word, []).append((_pattern, _strength))
_WORD = re.compile(r"[^\W\d_]+")
_FENCE = "```"


def pattern_of(text: str) -> Pattern:
    """The pattern that most words speak for, the earlier one of `Pattern` among equals; `general` where few do.

    A word that is repeated counts once, the first word of all twice. Fenced blocks are code whatever else is said.
    """
    if len(text) > 2 * _SCAN_CHARS:
        text = f"{text[:_SCAN_CHARS]}\n{text[-_SCAN_CHARS:]}"
    if _FENCE in text:
        return "code"
    words = _WORD.findall(text.lower())
    votes = dict.fromkeys(get_args(Pattern), 0)
    for word in _KNOWN.keys() & set(words):
        times = _OPENING if word == words[0] else 1
        for pattern, strength in _KNOWN[word]:
            votes[pattern] += strength * times
    most = max(votes, key=votes.__getitem__)
    return most if votes[most] >= _ENOUGH else "general"
