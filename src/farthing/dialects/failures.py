"""A provider's refusal by status, turned into the domain's errors without repeating what must stay secret."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from farthing.domain.errors import (
    UpstreamError,
    UpstreamInvalid,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnauthorized,
)

MAX_WAIT = 60.0
"""Seconds; nobody is told to wait longer, whatever the provider says."""
MAX_REASON = 300
"""Characters of a provider's text that a caller is shown."""

_REJECTED = frozenset({400, 404, 405, 409, 413, 415, 422})
_UNAUTHORIZED = frozenset({401, 402, 403})
_SECRET = re.compile(
    r"""(?ix)
    \b bearer \s+ \S+                                       # a credential in a header's form
    | \b (?: (?: sk | pk | rk | gsk | xai | key | org ) [-_] | ya29 | aiza ) [a-z0-9_*.-]{8,}
    | \b [a-z]+ :// \S+                                     # an address
    | \b (?: \d{1,3} \. ){3} \d{1,3} \b (?: : \d+ )?
    | (?<! \w ) / (?: [\w.-]+ / )+ [\w.-]*                  # a path on somebody's machine
    | [\w.+-]+ @ [\w-]+ \. [\w.-]+                          # a mailbox
    | \b (?= [a-z0-9]* \d ) (?= [a-z0-9]* [a-z] ) [a-z0-9]{16,} \b
    """
)
_CONTROL = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


def failure(status: int, headers: Mapping[str, str], reason: str = "", wait: float | None = None) -> UpstreamError:
    """The error behind a status of 400 or more.

    `reason` is the provider's text: it reaches the caller only where the request itself was rejected, and cleaned.
    `wait` in seconds is used where the headers name none.
    """
    if status in _REJECTED:
        said = cleaned(reason)
        return UpstreamRejected(f"The provider rejected the request: {said}" if said else _REJECTED_SILENTLY)
    if status in _UNAUTHORIZED:
        return UpstreamUnauthorized(
            "The provider refused the key or the account configured for it on the gateway, not yours: tell whoever "
            "runs the gateway."
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        told = retry_after(headers)
        wait = told if told is not None else wait
        return UpstreamRateLimited("The provider's rate limit is reached: retry later.", retry_after=capped(wait))
    if status == HTTPStatus.REQUEST_TIMEOUT:
        return UpstreamTimeout("The provider gave up waiting for the request: retry.")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return UpstreamOverloaded(
            f"The provider failed or is overloaded (status {status}): retry later.",
            retry_after=capped(retry_after(headers)),
        )
    return UpstreamInvalid(f"The provider answered with status {status}, which is no answer.")


_REJECTED_SILENTLY = "The provider rejected the request without saying why: compare it with the provider's manual."


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the provider asks to wait, None where it says nothing that can be understood.

    A date is read against the answer's own `date`.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        if not math.isnan(seconds):
            return seconds
    try:
        until, now = parsedate_to_datetime(headers["retry-after"]), parsedate_to_datetime(headers["date"])
        return (until - now).total_seconds()
    except (KeyError, ValueError, TypeError):
        return None


def capped(seconds: float | None) -> float | None:
    """A wait of 0 to 60 s."""
    return None if seconds is None else min(max(seconds, 0.0), MAX_WAIT)


def cleaned(text: str) -> str:
    """The provider's text in one short line, without whatever looks like a key, an address, a path or a mailbox."""
    line = _CONTROL.sub(" ", text[: 8 * MAX_REASON]).strip()
    line = _SECRET.sub("[removed]", line)
    return line if len(line) <= MAX_REASON else line[: MAX_REASON - 1].rstrip() + "…"
