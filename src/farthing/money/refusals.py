"""What a caller is told whose request does not fit into a limit."""

from __future__ import annotations

from farthing.domain.errors import RateLimited
from farthing.domain.limits import Bound, Standing, Verdict, Wish

_SECOND_US = 1_000_000
_RATES = {"requests": "requests per minute", "tokens": "tokens per minute", "concurrency": "requests at a time"}


def over_limit(wanted: Wish, verdict: Verdict, standings: tuple[Standing, ...]) -> RateLimited:
    """The error for a wish that was not granted."""
    bound = wanted.bounds[verdict.refused or 0]
    wait_s = verdict.wait_us / _SECOND_US
    if bound.kind == "concurrency":
        advice = "Wait until one of them has ended."
    elif bound.kind == "tokens":
        advice = f"Try again in {wait_s:.1f} s, or ask for less."
    else:
        advice = f"Try again in {wait_s:.1f} s."
    return RateLimited(f"{_limit(bound)} is reached. {advice}", retry_after=wait_s, standings=standings)


def too_long(bound: Bound, tokens: int) -> RateLimited:
    """The error for a request that no minute holds."""
    return RateLimited(
        f"This request has about {tokens} tokens, and {_lower(_limit(bound))} will never hold it. "
        "Send a shorter prompt, or have the limit raised."
    )


def _limit(bound: Bound) -> str:
    whose = {"key": "This key's limit", "team": f"The limit of team {_team(bound)}", "tenant": "The plan's limit"}
    return f"{whose[bound.scope]} of {bound.limit} {_RATES[bound.kind]}"


def _team(bound: Bound) -> str:
    return f"`{bound.subject.partition('/')[2][:64]}`"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
