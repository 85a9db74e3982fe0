"""What makes two requests the same question: everything that can change the answer, and nothing else."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

VERSION = b"1"
"""Changes with the rules below, so that old answers are never found by new keys."""

NOT_PART_OF_THE_QUESTION = frozenset(
    {
        "cache",
        "cache_control",
        "metadata",
        "model",
        "prompt_cache_key",
        "prompt_cache_retention",
        "request_id",
        "safety_identifier",
        "store",
        "stream",
        "stream_options",
        "timeout",
        "user",
        "user_id",
    }
)
"""Top-level fields that leave the answer as it is, or that stand in the key by other means. Every other field counts,
known or not."""

LONGEST_REMEMBERED = 256
"""Characters of a route that is kept in memory: most requests name one of a few, and callers cannot fill it up."""

_encode = msgspec.json.Encoder(order="sorted").encode


def identity(tree: Mapping[str, Any], *, tenant: str, arm: str | None, route: str, model: str) -> str:
    """SHA-256 as 64 hexadecimal digits of the question in a decoded JSON body.

    The order of fields does not matter. Text counts character by character, but for the Unicode composition (NFC): no
    case is folded and no symbol dropped. `model` is the concrete model, or the virtual name that was asked for;
    `arm` names the experiment as well as its arm. Whether a stream was asked for counts only where its answer
    could not be told as one body: with several choices or with log probabilities.
    """
    body = {name: value for name, value in tree.items() if name not in NOT_PART_OF_THE_QUESTION}
    canonical = _encode(body)
    if not canonical.isascii() and not unicodedata.is_normalized("NFC", canonical.decode()):
        canonical = _encode(_composed(body))
    form = b"6:stream" if tree.get("stream") and _needs_its_form(tree) else b"0:"
    place = _place if len(route) <= LONGEST_REMEMBERED else _place.__wrapped__
    parts = place(tenant, arm, route, model), form, b"%d:" % len(canonical), canonical
    return hashlib.sha256(b"".join(parts)).hexdigest()


@lru_cache(maxsize=256)
def _place(tenant: str, arm: str | None, route: str, model: str) -> bytes:
    """The fields beside the body, each behind its length."""
    fields = (
        VERSION,
        tenant.encode(),
        b"" if arm is None else b"=" + arm.encode(),
        route.encode(),
        model.encode(),
    )
    return b"".join([b"%d:%b" % (len(field), field) for field in fields])


def _needs_its_form(tree: Mapping[str, Any]) -> bool:
    return (tree.get("n") or 1) != 1 or bool(tree.get("logprobs"))


def _composed(value: object) -> object:
    """The value with its texts in NFC. Names of fields stay: composing them could make two of them one."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, list):
        return [_composed(item) for item in value]
    if isinstance(value, dict):
        return {name: _composed(item) for name, item in value.items()}
    return value
