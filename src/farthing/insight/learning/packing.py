"""A predictor as bytes that can be kept: without the vocabulary, which every worker has, and without rows of zeros."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from farthing.domain.routing.learning.predictor import Predictor
from farthing.domain.routing.learning.vocabulary import Vocabulary
from farthing.insight.learning.vocabulary import vocabulary

FORMAT = 1
"""To be raised where a part goes by the same name and means something else; other changes are noticed by themselves."""
_HOME = "farthing.domain.routing.learning."
"""Where the parts of a predictor are defined: nothing from elsewhere is made of bytes."""
_MATRIX = 2
"""Dimensions of an array whose rows may be left out."""


class _Array(Struct, tag=True, array_like=True):
    dtype: str
    shape: tuple[int, ...]
    data: bytes
    rows: bytes | None
    """int32, those that are not zero; None where all are given."""


class _Part(Struct, tag=True, array_like=True):
    """Of a predictor: its class, by module and name, and its fields."""

    kind: tuple[str, str]
    fields: dict[str, Any]


class _Several(Struct, tag=True, array_like=True):
    parts: list[Any]


class _Known(Struct, tag=True, array_like=True):
    """The vocabulary or its vectors, which come with the package."""

    name: str


_encode = msgspec.msgpack.Encoder().encode


def packed(predictor: Predictor) -> bytes:
    """The predictor, compressed."""
    return bytes([FORMAT]) + zlib.compress(_encode(_told(predictor)))


def unpacked(raw: bytes) -> Predictor:
    """The predictor that was packed. Raises ValueError for one that this release cannot read."""
    if raw[:1] != bytes([FORMAT]):
        raise ValueError("this release cannot read it: it has another's format")
    try:
        found = _made(msgspec.msgpack.decode(zlib.decompress(raw[1:])))
    except (ValueError, TypeError, AttributeError, ImportError, zlib.error, msgspec.MsgspecError) as error:
        raise ValueError(f"this release cannot read it: {error}") from error
    if not isinstance(found, Predictor):
        raise ValueError("this release cannot read it: it is no predictor")  # noqa: TRY004 (what was kept is wrong)
    return found


def _told(value: Any) -> Any:  # noqa: ANN401 (any part of a predictor)
    words = vocabulary()
    if value is words.vectors:
        return _Known("vectors")
    match value:
        case Vocabulary():
            return _Known("vocabulary")
        case np.ndarray():
            return _array(value)
        case Struct():
            return _part(value, value.__struct_fields__)
        case tuple() if hasattr(value, "_fields"):
            return _part(value, value._fields)
        case list() | tuple():
            return _Several([_told(part) for part in value])
        case _:
            return value


def _part(value: object, names: Iterable[str]) -> _Part:
    kind = type(value)
    fields = {name: getattr(value, name) for name in names}
    # What is not there is left out, so that a release before it came can read the rest.
    return _Part(
        (kind.__module__, kind.__name__), {name: _told(its) for name, its in fields.items() if its is not None}
    )


def _array(value: NDArray[Any]) -> _Array:
    kept, rows = value, None
    if value.ndim == _MATRIX:
        some = np.flatnonzero(value.any(axis=1)).astype(np.int32)
        if len(some) < len(value):
            kept, rows = value[some], some.tobytes()
    return _Array(value.dtype.str, value.shape, np.ascontiguousarray(kept).tobytes(), rows)


def _made(told: Any) -> Any:  # noqa: ANN401 (any part of a predictor)
    if not isinstance(told, list):
        return told
    match told:
        case ["_Known", name]:
            return vocabulary() if name == "vocabulary" else vocabulary().vectors
        case ["_Array", *_]:
            return _filled(msgspec.convert(told, _Array))
        case ["_Part", [module, name], fields]:
            if not module.startswith(_HOME):
                raise ValueError(f"{module} is no part of a predictor")
            kind = getattr(import_module(module), name)
            return kind(**{name: _made(value) for name, value in fields.items()})
        case ["_Several", parts]:
            return tuple(_made(part) for part in parts)
        case _:
            raise ValueError("it holds what no predictor has")


def _filled(array: _Array) -> NDArray[Any]:
    kept = np.frombuffer(array.data, dtype=array.dtype)
    if array.rows is None:
        return kept.reshape(array.shape)
    found = np.zeros(array.shape, dtype=array.dtype)
    found[np.frombuffer(array.rows, dtype=np.int32)] = kept.reshape(-1, array.shape[1])
    return found
