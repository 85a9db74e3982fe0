"""What is wrong in a configuration, said so that a person can mend it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

from msgspec import Struct
from pydantic import ValidationError
from pydantic_core import ErrorDetails

_HIDDEN = {"url", "base_url", "headers", "api_key_env"}
"""Keys whose values may hold a secret, put there on purpose or by mistake."""

_SHOWN_CHARACTERS = 40
_PLAIN_WORDS = {
    "missing": "expected a value: the key is missing",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "decimal_type": "expected a number",
    "decimal_parsing": "expected a number",
    "greater_than": "expected more than {gt}",
    "greater_than_equal": "expected at least {ge}",
    "less_than_equal": "expected at most {le}",
    "string_too_long": "expected at most {max_length} characters",
    "finite_number": "expected a finite number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "string_type": "expected text in quotes",
    "model_type": "expected a table",
    "model_attributes_type": "expected a table",
    "dict_type": "expected a table",
    "tuple_type": "expected an array of tables",
    "frozen_set_type": "expected an array",
}


class Mistake(Struct, frozen=True):
    """One thing to mend: where it stands (`file:line` or a variable), which key, and what was expected."""

    source: str
    key: str
    problem: str

    def __str__(self) -> str:
        """One line."""
        return ": ".join(part for part in (self.source, self.key, self.problem) if part)


class SettingsError(Exception):
    """The configuration cannot be used; `mistakes` holds all that was found, the first one is the message."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        """`mistakes` is never empty."""
        more = f" (and {len(mistakes) - 1} more: farthing doctor lists them)" if len(mistakes) > 1 else ""
        super().__init__(f"{mistakes[0]}{more}")
        self.mistakes = tuple(mistakes)


def mistakes_of(
    error: ValidationError,
    source: Callable[[tuple[str | int, ...]], str],
    known: Callable[[tuple[str | int, ...]], Iterable[str]],
) -> list[Mistake]:
    """What pydantic found; `source` says where a key stands, `known` which names its table may hold."""
    found = []
    for details in error.errors(include_url=False):
        place = tuple(name for name in details["loc"] if name != "[key]")
        problem = _problem(details, known(place[:-1]) if details["type"] == "extra_forbidden" else ())
        found.append(Mistake(source(place), key_of(place), problem))
    return found


def key_of(place: Sequence[str | int]) -> str:
    """The key as people write it: `models[0].tier`."""
    return "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in place).removeprefix(".")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at what was probably meant, empty where nothing is near."""
    close = get_close_matches(name, list(known), n=1)
    return f' (did you mean "{close[0]}"?)' if close else ""


def _problem(details: ErrorDetails, known: Iterable[str]) -> str:
    kind, place = details["type"], details["loc"]
    if kind == "extra_forbidden":
        names = sorted(known)
        return f"unknown key{nearest(str(place[-1]), names) or ', expected one of ' + ', '.join(names)}"
    if kind == "value_error":
        text = str(details["ctx"]["error"])
    elif kind in _PLAIN_WORDS:
        bounds = {name: f"{bound:.12g}" for name, bound in details.get("ctx", {}).items() if not isinstance(bound, str)}
        text = _PLAIN_WORDS[kind].format_map(bounds)
    else:
        text = re.sub(r"^.* should (be|have)", "expected", details["msg"])
    return text + _got(details["input"], place) if kind != "missing" else text


def _got(value: object, place: tuple[str | int, ...]) -> str:
    if _HIDDEN & set(place) or not isinstance(value, str | int | float):
        return ""
    text = json.dumps(value, ensure_ascii=False)
    return f", got {text[:_SHOWN_CHARACTERS]}{'…' if len(text) > _SHOWN_CHARACTERS else ''}"
