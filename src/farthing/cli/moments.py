"""Days, moments and months as people type them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from farthing.cli.terminal import CommandError

if TYPE_CHECKING:
    from farthing.ports import Stretch

Month = Annotated[str, typer.Option("--month", help="The month (UTC), such as 2026-11.")]


def stretch_between(first: str | None, last: str | None) -> Stretch:
    """From one day or moment up to but without the other. Raises `CommandError`."""
    from farthing.ports import Stretch

    return Stretch(
        None if first is None else _moment(first, "--from"),
        None if last is None else _moment(last, "--to"),
    )


def month_of(text: str) -> Stretch:
    """The month in UTC. Raises `CommandError`."""
    from farthing.domain.budget import span
    from farthing.ports import Stretch

    if not re.fullmatch(r"(19[7-9]\d|[2-9]\d{3})-(0[1-9]|1[0-2])", text):
        raise CommandError(f'"{text}" is no month: expected one such as 2026-11')
    found = span("month", _moment(f"{text}-01", "--month"))
    return Stretch(found.start_us, found.end_us)


def _moment(text: str, name: str) -> int:
    from farthing.domain.errors import InvalidRequest
    from farthing.http.moments import parse_moment

    try:
        return parse_moment(text, name)
    except InvalidRequest as error:
        raise CommandError(error.message) from error
