"""Recorded outcomes: what each model's answer to a prompt was worth and cost, read from JSON lines."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from string import hexdigits

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from farthing.ports import Source
from farthing.ports.learning import Rated

FOLDS = 5
"""Parts that rows are split into, so that each is scored by a router that has not seen it."""

WEIGHTS: Mapping[Source, float] = {"explicit": 1.0, "judge": 0.5, "implicit": 0.2}
"""How much an answer counts in training by who judged it."""

_GZIP = b"\x1f\x8b"
_ID_DIGITS = 16
_FOLD_DIGITS = 8
_TENTHS = 10


class BadLabels(ValueError):
    """A file that holds no recorded outcomes; the message names file, line and what to do."""


class Outcome(Struct, frozen=True):
    """What one model made of a prompt."""

    quality: float
    """0..1."""
    cost: float | None = field(name="cost_usd", default=None)
    """US dollars for this one answer."""
    response: str | None = None
    weight: float = 1.0
    """How much the quality counts in training, above 0 and at most 1; in scores all count alike."""


class Labelled(Struct, frozen=True):
    """A prompt and the outcome of each model that was asked."""

    prompt: str
    outcomes: Mapping[str, Outcome] = field(name="models")
    """By the model's name, at least one."""
    id: str = ""
    """Decides the fold; where a file gives none, the first digits of the prompt's SHA-256."""
    dataset: str = ""
    subset: str = ""

    @property
    def task(self) -> str:
        """The label of the task that the prompt belongs to, as the file tells it; empty where it does not."""
        return f"{self.dataset}/{self.subset}" if self.subset else self.dataset


_decode = msgspec.json.Decoder(Labelled).decode


def read_labels(path: Path) -> list[Labelled]:
    """All rows of a file, gzipped or not, one JSON object a line; empty lines are skipped.

    Raises `BadLabels`.
    """
    rows = [_row(line, f"{path.name} line {number}") for number, line in _lines(path)]
    if not rows:
        raise BadLabels(f"{path.name} holds no rows: expected one JSON object a line, with prompt and models")
    return rows


def id_of(prompt: str) -> str:
    """The id of a row that has none: the first digits of its prompt's SHA-256."""
    return sha256(prompt.encode()).hexdigest()[:_ID_DIGITS]


def fold_of(row_id: str) -> int:
    """The part 0..FOLDS-1 that a row belongs to: its id's first eight hexadecimal digits, or those of its SHA-256."""
    return int(_digits(row_id, _FOLD_DIGITS), 16) % FOLDS


def tenth_of(row_id: str) -> int:
    """The tenth 0..9 that a row belongs to, whatever its fold: the eight digits after those that decide that."""
    return int(_digits(row_id, _ID_DIGITS)[_FOLD_DIGITS:], 16) % _TENTHS


def _digits(row_id: str, count: int) -> str:
    """The first so many hexadecimal digits of an id, or of its SHA-256 where these are none."""
    head = row_id[:count]
    return sha256(row_id.encode()).hexdigest()[:count] if len(head) < count or head.strip(hexdigits) else head


def believed(rated: Sequence[Rated]) -> list[Rated]:
    """Without what was told, by questions that were asked again, of models beyond as many answers as were rated.

    Of those the newest stay. They tell of bad answers only: a model that is asked more would seem worse by them. Nor
    with guesses at answers of models of which nobody has rated any.
    """
    room = Counter(each.model for each in rated if each.source != "implicit" and not each.is_guess)
    known, found = frozenset(room), []
    for each in reversed(rated):
        if each.is_guess and each.model not in known:
            continue
        if each.source == "implicit":
            if not room[each.model]:
                continue
            room[each.model] -= 1
        found.append(each)
    return found[::-1]


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """What is not empty, with its number from 1. Raises `BadLabels`."""
    try:
        raw = path.read_bytes()
        if raw.startswith(_GZIP):
            with gzip.open(BytesIO(raw)) as unpacked:
                raw = unpacked.read()
    except (OSError, EOFError, zlib.error) as error:
        said = getattr(error, "strerror", None) or f"it is no whole gzip file ({error})"
        raise BadLabels(f"{path} cannot be read: {said}") from error
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        if line.strip():
            yield number, line


def _row(line: bytes, where: str) -> Labelled:
    """Raises `BadLabels`."""
    try:
        row = _decode(line)
    except msgspec.ValidationError as error:
        raise BadLabels(f"{where}: {error}; expected prompt and models {{NAME: {{quality: 0..1}}}}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadLabels(f"{where} is not JSON: {error}") from error
    if not row.outcomes:
        raise BadLabels(f"{where}: models is empty; give the quality of at least one")
    for model, outcome in row.outcomes.items():
        if not 0 <= outcome.quality <= 1:
            raise BadLabels(f"{where}: the quality of {model} is {outcome.quality:g}; scale it to 0..1")
        if not 0 < outcome.weight <= 1:
            raise BadLabels(f"{where}: the weight of {model} is {outcome.weight:g}; give one above 0 and up to 1")
        if outcome.cost is not None and outcome.cost < 0:
            raise BadLabels(f"{where}: cost_usd of {model} is {outcome.cost:g}; give dollars from 0, or leave it out")
    return row if row.id else replace(row, id=id_of(row.prompt))
