"""farthing.toml as data, and the line on which each key stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from farthing.settings.mistakes import Mistake, SettingsError

Place = tuple[str | int, ...]
"""Names of tables and keys from the top, and positions in arrays."""

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_TABLE = re.compile(rf"\s*\[\s*({_DOTTED})\s*\]")
_ARRAY_TABLE = re.compile(rf"\s*\[\[\s*({_DOTTED})\s*\]\]")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=")
_TOMLLIB_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


class TomlFile(Struct, frozen=True):
    """What a file says; `lines` gives each table and key its line, counted from 1."""

    path: Path
    data: Mapping[str, Any]
    lines: Mapping[Place, int]

    def source(self, place: Place) -> str:
        """File and line of the key, or of the nearest table around it."""
        for length in range(len(place), 0, -1):
            if line := self.lines.get(place[:length]):
                return f"{self.path}:{line}"
        return str(self.path)


def read_toml(path: Path) -> TomlFile:
    """The file's content. Raises `SettingsError` where it cannot be read or is no TOML."""
    text = _text(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([_syntax_mistake(path, text, str(error))]) from error
    lines: dict[Place, int] = {}
    for place, line in _lines(text):
        for length in range(1, len(place) + 1):
            lines.setdefault(place[:length], line)
    return TomlFile(path, data, lines)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SettingsError([Mistake(str(path), "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsError([Mistake(f"{path}:{line}", "", "expected text in UTF-8")]) from error


def _syntax_mistake(path: Path, text: str, message: str) -> Mistake:
    position = _TOMLLIB_POSITION.search(message)
    lines = text.splitlines() or [""]
    line = int(position[1]) if position and position[1] else len(lines)
    key = _ASSIGNMENT.match(lines[line - 1])
    reason = _TOMLLIB_POSITION.sub("", message)
    return Mistake(f"{path}:{line}", key[1] if key else "", f"not valid TOML: {reason[:1].lower()}{reason[1:]}")


def _lines(text: str) -> Iterator[tuple[Place, int]]:
    """Each table and key with its line; only for text that tomllib has accepted."""
    table: Place = ()
    lengths: dict[Place, int] = {}
    quote = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not quote:
            if array := _ARRAY_TABLE.match(line):
                array_place = _numbered(_names(array[1]), lengths)
                position = lengths.get(array_place, 0)
                lengths[array_place] = position + 1
                table = (*array_place, position)
                yield table, number
            elif found := _TABLE.match(line):
                table = _numbered(_names(found[1]), lengths)
                yield table, number
            elif key := _ASSIGNMENT.match(line):
                yield (*table, *_names(key[1])), number
        quote = _open_quote(line, quote)


def _names(dotted: str) -> tuple[str, ...]:
    """The names of a dotted key, unquoted."""
    names, level = [], tomllib.loads(f"{dotted} = 0")
    while isinstance(level, dict):
        [(name, level)] = level.items()
        names.append(name)
    return tuple(names)


def _numbered(names: tuple[str, ...], lengths: Mapping[Place, int]) -> Place:
    """The names, each that is an array of tables followed by the position of its last table."""
    place: Place = ()
    for name in names[:-1]:
        place = (*place, name)
        if place in lengths:
            place = (*place, lengths[place] - 1)
    return (*place, names[-1])


def _open_quote(line: str, quote: str) -> str:
    """The mark of the multi-line string that is open after this line, if any."""
    for mark in re.findall(r'"""|\'\'\'', line):
        if not quote:
            quote = mark
        elif quote == mark:
            quote = ""
    return quote
