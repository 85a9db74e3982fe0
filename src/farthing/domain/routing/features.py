"""What can be seen of a prompt at a glance: eight parts of its complexity, each 0..1."""

from __future__ import annotations

from math import log2

from farthing.domain.chat import ChatRequest
from farthing.domain.routing.lexicon import INSIDE, KNOWN, PARTS_OF_WORDS, WORDS
from farthing.domain.tokens import last_user_text

_SCAN_CHARS = 2_048
"""Of a longer text the first and the last this many characters are read, so that the time stays bounded."""

_BYTES_PER_TOKEN = 4.4
"""Of UTF-8, close to true in every script: English has few bytes per letter, Chinese few letters per token."""

_SHORT_TOKENS = 24
"""Up to here a prompt has no length to speak of; every doubling adds a seventh."""

_KEEP = bytes(range(ord("a"), ord("z") + 1)) + bytes(range(0x80, 0x100))
_FOLD = bytes(
    byte if byte in _KEEP else byte + 32 if chr(byte).isascii() and chr(byte).isupper() else ord(" ")
    for byte in range(256)
)
"""Upper case to lower case, everything that is no letter to a space."""
_SPACELESS = b"\xe0" + bytes(range(0xE3, 0xEE))
"""First bytes of letters in scripts that set few spaces between words: Thai, Chinese, Japanese, Korean."""

# Hundredths that a sign adds to its part.
_DIGITS, _PER_DIGIT = b"0123456789", 4
_MATH_SIGNS, _PER_MATH_SIGN = b"+*/^=\\$%<>", 6
_CODE_SIGNS, _PER_CODE_SIGN = b"{}[];=<>_`|", 4
_NO_SIGNS = bytes(set(range(256)) - set(_DIGITS + _MATH_SIGNS + _CODE_SIGNS + b"\n"))
_FENCE, _PER_FENCE = b"```", 100
_PER_LINE = 5
_FOREIGN_LETTERS = 300


def read_features(chat: ChatRequest) -> tuple[dict[str, float], str]:
    """The parts of the score by name, each 0..1, and the extent of the text they were read from, such as `8 words`.

    They are those of what the user asked last, and of the conversation and the tools around it.
    """
    text = last_user_text(chat.messages)
    chars = len(text)
    if chars > 2 * _SCAN_CHARS:
        text = f"{text[:_SCAN_CHARS]}\n{text[-_SCAN_CHARS:]}"
    plain = text.isascii()
    raw = (text if plain else text.lower()).encode("utf-8", "surrogatepass")
    words = raw.translate(_FOLD).split()
    reasoning, mathematics, code, constraints, language = _read_words(words) if plain else _read_any(text, raw, words)
    signs = raw.translate(None, _NO_SIGNS)
    if signs:
        count = len(signs)
        mathematics += (count - len(signs.translate(None, _DIGITS))) * _PER_DIGIT
        mathematics += (count - len(signs.translate(None, _MATH_SIGNS))) * _PER_MATH_SIGN
        code += (count - len(signs.translate(None, _CODE_SIGNS))) * _PER_CODE_SIGN + raw.count(_FENCE) * _PER_FENCE
        constraints += signs.count(b"\n") * _PER_LINE
    tokens = len(raw) * chars / len(text) / _BYTES_PER_TOKEN if text else 0.0
    turns, tools = len(chat.messages) - 2, len(chat.tools)
    parts = {
        "length": min(1.0, log2(tokens / _SHORT_TOKENS) / 7) if tokens > _SHORT_TOKENS else 0.0,
        "code": min(1.0, code / 200) if code else 0.0,
        "mathematics": min(1.0, mathematics / 200) if mathematics else 0.0,
        "reasoning": min(1.0, reasoning / 100) if reasoning else 0.0,
        "constraints": min(1.0, constraints / 200) if constraints else 0.0,
        "language": min(1.0, language / 100) if language else 0.0,
        "turns": min(1.0, turns / 12) if turns > 0 else 0.0,
        "tools": min(1.0, 0.3 + tools * 0.05) if tools else 0.0,
    }
    return parts, _extent(b"" if plain else raw, len(words), chars)


def _read_words(words: list[bytes]) -> list[int]:
    """What the words say of each of `PARTS_OF_WORDS`; a word that is repeated counts once."""
    sums = [0] * len(PARTS_OF_WORDS)
    for word in KNOWN.intersection(words):
        for position, strength in WORDS[word]:
            sums[position] += strength
    return sums


def _read_any(text: str, raw: bytes, words: list[bytes]) -> list[int]:
    """As `_read_words`, for text that is not all ASCII."""
    sums = _read_words(words)
    sums[PARTS_OF_WORDS.index("language")] += _FOREIGN_LETTERS * (len(raw) - len(text)) // len(raw)
    for term, position, strength in INSIDE:
        if term in text:
            sums[position] += strength
    return sums


def _extent(foreign: bytes, words: int, chars: int) -> str:
    """How long the text is; `foreign` is all of it where it is not plain ASCII."""
    if chars > 2 * _SCAN_CHARS or (foreign and len(foreign) - len(foreign.translate(None, _SPACELESS)) > words):
        return f"{chars:,} characters"
    return "1 word" if words == 1 else f"{words} words"
