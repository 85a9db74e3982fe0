"""Decides the ledger's requests anew under another policy, without calling anybody."""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from typing import Any

from farthing.insight.replay.costing import cost_of
from farthing.insight.replay.policy import CannotTell, Chooser, Known, Policy
from farthing.insight.replay.report import report
from farthing.insight.replay.tally import Tally
from farthing.ports.replay import Decided


async def replay(
    pages: AsyncIterable[Sequence[Decided]], policy: Policy, known: Known | None, *, limit: int
) -> dict[str, Any]:
    """What it would have cost, at what quality, and how far that can be told. Money in nano-dollars.

    `limit` is how many requests the pages hold at most.
    """
    tally, chooser = Tally(), Chooser(policy, known)
    async for page in pages:
        for row in page:
            try:
                choice = chooser.choose(row)
            except CannotTell as reason:
                tally.left_out[str(reason)] += 1
            else:
                tally.add(row, choice, cost_of(row, choice, policy))
    is_cut = len(tally) + tally.left_out.total() >= limit
    return report(tally, policy, is_learned=known is not None, is_cut=is_cut)
