"""Where tokens or their cost are limited, long prompts are weighed whole: nobody gains by what samples leave out."""

from __future__ import annotations

import asyncio
from math import ceil

from msgspec.structs import replace

from farthing.domain.tokens import sampled, weigh
from farthing.gateway.order import Order

SLICE = 64 * 1024
"""Characters that are weighed in a turn of the loop, in a third of a millisecond."""


def unweighed(order: Order) -> str | None:
    """The text of a long prompt that was weighed by samples, where a budget, a ceiling or a limit needs more."""
    return sampled(order.chat) if _is_limited(order) else None


async def weighed(order: Order, text: str) -> Order:
    """The order with its prompt, which is this text, weighed whole."""
    tokens = 0.0
    for start in range(0, len(text), SLICE):
        if start:
            await asyncio.sleep(0)
        tokens += weigh(text[start : start + SLICE])
    chat = order.draft.chat = replace(order.chat, weighed=ceil(tokens))
    # What an experiment planned so far went by samples.
    return replace(order, chat=chat, plans={})


def _is_limited(order: Order) -> bool:
    draft = order.draft
    return draft.hold.is_limited or bool(draft.caller.quotas) or order.ceiling is not None
