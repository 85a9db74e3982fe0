"""Secrets that cannot be shown by mistake."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable

import msgspec
import pytest
from msgspec import Struct

from farthing.domain.secrecy import Secret

CANARY = "sk-canary-0123456789"


class Holder(Struct, frozen=True):
    """As configuration holds one."""

    key: Secret[str]


@pytest.mark.parametrize("secret", [Secret(CANARY), Secret(CANARY.encode()), Secret("")])
@pytest.mark.parametrize("show", [str, repr, "{}".format, "{:>40}".format, "{:.30}".format, "{!r}".format, ascii])
def test_whatever_shows_it_shows_stars(show: Callable[[object], str], secret: Secret[str] | Secret[bytes]) -> None:
    """Neither its text nor its length."""
    assert show(secret) == "***"


def test_what_holds_it_shows_stars() -> None:
    """In structs, in containers, in old-style formats and where JSON falls back on text."""
    secret = Secret(CANARY)
    assert repr(Holder(secret)) == "Holder(key=***)"
    assert str([secret]) == "[***]"
    assert "%s" % secret == "***"  # noqa: UP031 (logging formats so)
    assert json.dumps({"key": secret}, default=str) == '{"key": "***"}'


@pytest.mark.parametrize(
    "pack",
    [*(pickle.dumps, copy.copy, copy.deepcopy, json.dumps, msgspec.json.encode, msgspec.msgpack.encode, vars, dict)],
)
@pytest.mark.parametrize("secret", [Secret(CANARY), Secret(CANARY.encode())])
def test_nothing_packs_it(pack: Callable[[object], object], secret: Secret[str]) -> None:
    """TypeError, which does not repeat it."""
    with pytest.raises(TypeError) as refused:
        pack(secret)
    assert CANARY not in str(refused.value)


def test_it_is_given_out_where_asked_for() -> None:
    """As it was."""
    assert Secret(CANARY).reveal() == CANARY
    assert Secret(b"\0\xff").reveal() == b"\0\xff"


def test_equal_secrets_are_equal_and_hash_alike() -> None:
    """So that configuration that holds them can be compared; text and bytes are never the same."""
    assert Holder(Secret(CANARY)) == Holder(Secret(CANARY))
    assert Secret("schlüssel\ud800") == Secret("schlüssel\ud800")
    assert Secret(CANARY) != Secret(CANARY + "x")
    assert Secret(CANARY) != CANARY
    assert Secret(b"x") == Secret(b"x")
    assert not Secret("x") == Secret(b"x")  # noqa: SIM201 (it is equality that is looked at)
    assert len({hash(Secret("a")), hash(Secret("b")), hash(Secret(b"a"))}) == 1
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
