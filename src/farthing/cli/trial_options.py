"""What options of `farthing experiments` say, in the words of the API."""

from __future__ import annotations

import re
from typing import Any

from farthing.cli.terminal import CommandError

_SHARE = re.compile(r"[01]?\.[0-9]+|[01]")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?|\.[0-9]+")


def arm_of(text: str) -> dict[str, Any]:
    """NAME=STRATEGY@SHARE in the words of the API. Raises `CommandError`."""
    name, _, strategy = text.partition("=")
    before, _, share = strategy.rpartition("@")
    if not name or not strategy:
        raise CommandError(f'"{text}" is no arm: expected NAME=STRATEGY or NAME=STRATEGY@SHARE, as in test=hybrid@0.2')
    # A model may have an @ in its name.
    if before and _SHARE.fullmatch(share):
        return {"name": name, "strategy": before, "share": float(share)}
    return {"name": name, "strategy": strategy}


def margin_of(text: str) -> tuple[str, float]:
    """NAME=NUMBER. Raises `CommandError`."""
    name, _, number = text.partition("=")
    if name not in {"quality", "errors", "latency"} or not _NUMBER.fullmatch(number):
        raise CommandError(f'"{text}" is no margin: expected quality=0.2, errors=0.01 or latency=0.25')
    return name, float(number)


def namespace_of(text: str) -> dict[str, Any]:
    """NAME:START-END, or NAME for all of it. Raises `CommandError`."""
    # A name may have a colon in it.
    name, _, part = text.rpartition(":")
    start, _, end = part.partition("-")
    if name and _SHARE.fullmatch(start) and _SHARE.fullmatch(end):
        return {"name": name, "start": float(start), "end": float(end)}
    if name:
        raise CommandError(f'"{text}" is no namespace: expected NAME or NAME:START-END, as in chat:0-0.5')
    return {"name": text}


def scope_of(text: str) -> dict[str, str]:
    """key:ID, route:PATH or tag:NAME=VALUE. Raises `CommandError`."""
    where, _, value = text.partition(":")
    if where not in {"key", "route", "tag"} or not value:
        raise CommandError(f'"{text}" is no scope: expected key:ID, route:/v1/messages or tag:NAME=VALUE')
    return {"where": where, "value": value}


def shares_of(text: str) -> list[float]:
    """SHARE,SHARE. Raises `CommandError`."""
    shares = text.split(",")
    if not all(map(_SHARE.fullmatch, shares)):
        raise CommandError(f'"{text}" is no list of shares: expected that of each arm, control first, as in 0.8,0.2')
    return [float(share) for share in shares]
