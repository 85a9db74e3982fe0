"""What a request asked of models, call by call: whom, why, what came of it and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import UNSET, Struct

from farthing.domain.chat import Usage
from farthing.domain.exchange import Attempt, Exchange

Outcome = Literal["served", "unserved", "check", "failed"]
"""The caller got the answer, or another's instead; it told how good an answer is; or there was none."""


class Asked(Struct, frozen=True, kw_only=True):
    """One call upstream."""

    model: str
    provider: str
    outcome: Outcome
    why: str
    """Why it was asked, and of a check what it found: half a sentence."""
    error: str | None
    """The code of what went wrong."""
    tokens_in: int
    tokens_out: int
    cost: int | None
    """Nano-dollars; None where the model has no price."""
    duration_us: int


def calls_of(exchange: Exchange, cascade: Mapping[str, Any]) -> list[Asked]:
    """All calls of a request in their order. What they cost sums to what it does.

    `cascade` is what its decision tells of a check; empty where none was made.
    """
    attempts = list(exchange.attempts)
    if exchange.status == "interrupted" and not (attempts and attempts[-1].error == "cancelled"):
        # The process ended before it could tell of its last one.
        last = Attempt(model=exchange.model or "", provider=exchange.provider or "", error="interrupted")
        attempts.append(last)
    own = _own(attempts)
    calls = []
    for place, one in enumerate(attempts):
        usage, cost = _spent(one, exchange if place == own else None)
        calls.append(
            Asked(
                model=one.model,
                provider=one.provider,
                outcome="failed" if one.error else one.outcome or "served",
                why=_why(attempts, place, cascade),
                error=one.error,
                tokens_in=usage.tokens_in,
                tokens_out=usage.tokens_out,
                cost=cost,
                duration_us=one.duration_us,
            )
        )
    return calls


def _spent(one: Attempt, exchange: Exchange | None) -> tuple[Usage, int | None]:
    """Tokens and nano-dollars of a call, which are the exchange's own where that is given."""
    if one.charge is not UNSET:
        return one.charge.usage, one.charge.cost
    return (Usage(), 0) if exchange is None else (exchange.usage, exchange.own_cost)


def _own(attempts: Sequence[Attempt]) -> int | None:
    """Whose usage the row's own is: that of the answer that was served, else of what was asked last."""
    bare = [place for place, one in enumerate(attempts) if one.charge is UNSET]
    return next((place for place in bare if attempts[place].error is None), bare[-1] if bare else None)


def _why(attempts: Sequence[Attempt], place: int, cascade: Mapping[str, Any]) -> str:
    """After an answer another is asked for in a cascade alone, first as a check."""
    answered = next((at for at, one in enumerate(attempts) if one.error is None), len(attempts))
    if place == 0:
        is_checked = answered == 0 and len(attempts) > 1
        return "the cheapest of the plan, to be checked" if is_checked else "first of the plan"
    if place <= answered:
        return f"{attempts[place - 1].model} failed"
    if place == answered + 1 and attempts[place].model == attempts[answered].model:
        return _verdict(cascade)
    return "the answer before would not do"


def _verdict(cascade: Mapping[str, Any]) -> str:
    """What was asked of the model, and what it says of the answer before."""
    if not cascade:
        return "to tell how good its answer is"
    asked = "to answer once more" if cascade["check"] == "agreement" else "how sure it is of its answer"
    if cascade["score"] is None:
        return asked
    if cascade["check"] == "agreement":
        found = "both come to the same" if cascade["score"] else "the two differ"
    else:
        found = f"{cascade['score']:.0%} sure"
    return f"{asked}: {found}, {cascade['belief']:.2f} to be good where {cascade['least']:.2f} is enough"
