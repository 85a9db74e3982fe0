"""The whole replay against one gateway: two passes, every answer, the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from benchmarks.replay.audit import check_ledger
from benchmarks.replay.outcome import Outcome
from benchmarks.replay.passes import Pass, ReplayFailed, run_pass
from benchmarks.replay.recordings import CHEAP, STRONG, Recording
from benchmarks.replay.upstream import ReplayUpstream

SETTINGS = f"""
[routing]
baseline = "{STRONG}"
hold_back = 0

[providers.recorded]
dialect = "openai"
base_url = "{{base_url}}"

[[models]]
name = "{STRONG}"
provider = "recorded"
tier = "complex"
input_usd_per_mtok = 24.7
output_usd_per_mtok = 24.7
context_tokens = 128000

[[models]]
name = "{CHEAP}"
provider = "recorded"
tier = "simple"
input_usd_per_mtok = 0.24
output_usd_per_mtok = 0.24
context_tokens = 32768
"""

HEARD_S = 1.0


def settings(upstream_url: str) -> str:
    """farthing.toml for a gateway before the replay's upstream."""
    return SETTINGS.format(base_url=f"{upstream_url}/v1")


def replay(gateway_url: str, upstream: ReplayUpstream, recordings: Sequence[Recording]) -> Outcome:
    """Runs all recordings twice through a fresh gateway. Raises `ReplayFailed` where anything is not as it must be."""
    return asyncio.run(_replay(gateway_url, upstream, recordings))


async def _replay(gateway_url: str, upstream: ReplayUpstream, recordings: Sequence[Recording]) -> Outcome:
    first = await run_pass(gateway_url, recordings, streams=lambda position: position % 2 == 1)
    _expect_calls(upstream, len(recordings))
    if any(reply.cache != "miss" for reply in first.replies):
        raise ReplayFailed("a prompt never seen before did not miss the cache")
    # Where Redis was late, another worker finds an answer in the database, of which it hears a little later.
    await asyncio.sleep(HEARD_S)
    # Every second pair of prompts now wants the other form: a kept stream serves whole answers, and the reverse.
    second = await run_pass(gateway_url, recordings, streams=lambda position: position // 2 % 2 == 1)
    _expect_calls(upstream, len(recordings))
    _expect_hits(first, second)
    return Outcome(first, second, await check_ledger(gateway_url, [first, second]))


def _expect_calls(upstream: ReplayUpstream, calls: int) -> None:
    if (upstream.calls.total(), upstream.unknown) != (calls, 0):
        raise ReplayFailed(f"{upstream.calls.total()} upstream calls and {upstream.unknown} unknown, not {calls} and 0")


def _expect_hits(first: Pass, second: Pass) -> None:
    """Each answer of the second pass is a hit from the model of the first."""
    for bought, kept in zip(first.replies, second.replies, strict=True):
        if (kept.cache, kept.model) != ("hit", bought.model):
            raise ReplayFailed(f"{kept.recording.id}: {kept.cache} from {kept.model}, bought from {bought.model}")
