"""F29: more is asked than a worker can do, most of it by one tenant: it is refused some, the others hear nothing."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from msgspec import Struct

from benchmarks.native import Load, LoadResult, Upstream
from tests.faults.rig.cluster import vitals, workers
from tests.faults.rig.load import Ask, Heard, Holder, percentile, send
from tests.faults.rig.site import Rig, Site
from tests.faults.rig.words import Wish

MASTER = "the-master-key-of-this-row"
TIMES = 3.0
"""How many times its capacity a gateway is asked for."""
QUIET = 0.05
"""Of its capacity, what each of two quiet tenants asks for; the noisy one asks for 58 times as much."""
NOISY_CONNECTIONS, QUIET_CONNECTIONS = 2_000, 256
EVERY_S = 0.05
SHED_S = 0.05
LATE_S = 0.1
ADDED_S = 0.05
LOST = 0.1
MEMORY_MB = 16
RECOVERY_S = 5.0
MB = 1024 * 1024
OURS, THEIRS = ("taskset", "-c", "0"), ("taskset", "-c", "1")
"""The gateway has a core to itself; vendor and clients share the other."""


class Crowd(Struct):
    """Clients of one gateway."""

    site: Site
    is_streaming: bool

    def body(self) -> bytes:
        """What everybody asks."""
        text = "Explain in two sentences what an event loop is, and when it pays to use one. " * 4
        wish = {"model": "model-a", "messages": [{"role": "user", "content": text}]}
        return json.dumps(wish | ({"stream": True} if self.is_streaming else {})).encode()

    async def load(self, holder: Holder, seconds: float, connections: int, rate: float | None = None) -> LoadResult:
        """What comes of so much by one tenant."""
        load = Load(
            url=f"http://127.0.0.1:{self.site.gateway.port}/v1/chat/completions",
            body=self.body(),
            connections=connections,
            seconds=seconds,
            rate=rate,
            headers={"authorization": f"Bearer {holder.secret}"},
            timeout=10,
        )
        return await asyncio.to_thread(load.put, runner=THEIRS)

    async def probe(self) -> Heard:
        """One more of the noisy tenant, by a new connection."""
        ask = Ask(user="probe", wish=Wish(nonce="probe"), holder=self.site.holders[0], stream=False)
        return await send(ask, self.site.gateway.port)

    def figures(self) -> dict[str, float]:
        """Requests shed by reason, and the loop's lateness."""
        connection = http.client.HTTPConnection("127.0.0.1", self.site.gateway.port, timeout=10)
        connection.request("GET", "/metrics", headers={"authorization": f"Bearer {MASTER}"})
        text = connection.getresponse().read().decode()
        connection.close()
        found = re.findall(r'^farthing_(?:shed_total\{reason="(\w+)"\}|(loop_lag)_seconds) (\S+)', text, re.MULTILINE)
        return {reason or lag: float(value) for reason, lag, value in found}


class Storm(Struct):
    """What was heard while too much was asked."""

    noisy: LoadResult
    quiet: Sequence[LoadResult]
    probes: list[Heard]
    late_s: list[float]
    """The most of each second or two."""
    memory: list[int]

    @property
    def refused(self) -> list[Heard]:
        """The probes that were refused."""
        return [probe for probe in self.probes if probe.status == 503]

    def check(self, peak: float, seconds: float) -> None:
        """Refusals are well formed; those who ask for little were all answered."""
        assert set(self.noisy.statuses) == {"200", "503"}, self.noisy
        assert self.noisy.errors == self.noisy.statuses["503"], self.noisy.first_error
        assert self.refused
        for probe in self.refused:
            assert 1 <= int(probe.headers["retry-after"]) <= 5
            assert json.loads(probe.body)["error"]["code"] == "overloaded"
        for quiet in self.quiet:
            assert (quiet.errors, quiet.requests) == (0, round(QUIET * peak * seconds)), quiet


async def storm(crowd: Crowd, peak: float, seconds: float) -> Storm:
    """Three times the capacity, most of it by the first holder of a key."""
    noisy, *others = crowd.site.holders
    rates = [(TIMES - QUIET * len(others)) * peak, *[QUIET * peak for _ in others]]
    loads = asyncio.gather(
        crowd.load(noisy, seconds, NOISY_CONNECTIONS, rates[0]),
        *(crowd.load(other, seconds, QUIET_CONNECTIONS, QUIET * peak) for other in others),
    )
    probes, late_s, memory = [], [], []
    began = looked = time.monotonic()
    while not loads.done():
        probes.append(await crowd.probe())
        if time.monotonic() - looked > 1 and time.monotonic() - began < seconds:
            looked = time.monotonic()
            late_s.append((await asyncio.to_thread(crowd.figures))["loop_lag"])
            memory.append(vitals(workers(crowd.site.gateway)).memory)
        await asyncio.sleep(EVERY_S)
    heard, *quiet = await loads
    return Storm(heard, quiet, probes, late_s, memory)


async def recovery(crowd: Crowd) -> float:
    """Seconds until twenty in a row are answered."""
    began, answered = time.monotonic(), 0
    while answered < 20:
        heard = await crowd.probe()
        answered = answered + 1 if heard.status == 200 else 0
        assert time.monotonic() - began < 60
    return time.monotonic() - began


@asynccontextmanager
async def gathered(rig: Rig, *, is_streaming: bool) -> AsyncIterator[Crowd]:
    """A gateway on a core of its own, before a vendor that is never the limit."""
    with Upstream(runner=THEIRS) as vendor:
        site = await rig.start(
            keys=3,
            text={"ports": {"a": vendor.port}},
            runner=OURS,
            environment={"FARTHING_MASTER_KEY": MASTER},
        )
        crowd = Crowd(site, is_streaming)
        # What the first look at the figures loads is no part of a request.
        await asyncio.to_thread(crowd.figures)
        yield crowd


@pytest.mark.alone
@pytest.mark.timeout(120)
async def test_too_much_is_refused_and_who_asks_for_little_is_not(rig: Rig) -> None:
    """F29, short: a few seconds, and what happens, not how fast."""
    async with gathered(rig, is_streaming=False) as crowd:
        peak = (await crowd.load(crowd.site.holders[0], 1.0, 64)).per_second
        seen = await storm(crowd, peak, 3.0)
        seen.check(peak, 3.0)
        await recovery(crowd)
        assert await crowd.site.books.unsummed() == (0, 0)
        figures = await asyncio.to_thread(crowd.figures)
        assert figures["share"] >= 0.9 * seen.noisy.statuses["503"]


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("is_streaming", [True, False], ids=["streams", "whole"])
async def test_a_gateway_does_what_it_can_of_three_times_as_much(rig: Rig, *, is_streaming: bool) -> None:
    """F29: 60 s of three times its capacity; a refusal costs as much whatever it spares, so whole answers lose more."""
    seconds = 60.0
    async with gathered(rig, is_streaming=is_streaming) as crowd:
        noisy, quiet, _ = crowd.site.holders
        peak = (await crowd.load(noisy, 5.0, 256 if is_streaming else 64)).per_second
        alone = await crowd.load(quiet, 5.0, QUIET_CONNECTIONS, QUIET * peak)
        seen = await storm(crowd, peak, seconds)
        back_s = await recovery(crowd)
        seen.check(peak, seconds)
        assert await crowd.site.books.unsummed() == (0, 0)
        shed_s = percentile([probe.seconds for probe in seen.refused], 0.99)
        served = (seen.noisy.requests + sum(each.requests for each in seen.quiet)) / seconds
        added_s = max(each.latency_us.p99 for each in seen.quiet) / 1e6 - alone.latency_us.p99 / 1e6
        late_s = percentile(seen.late_s[2:], 0.5)
        grown = (seen.memory[-1] - seen.memory[len(seen.memory) // 4]) / MB
        rig.tell(
            f"F29 {'streams' if is_streaming else 'whole answers'}",
            f"{seconds:.0f} s of {TIMES * peak:.0f} a second, capacity {peak:.0f}: {100 * served / peak:.0f}% served, "
            f"{seen.noisy.statuses['503']} refused, p99 {1000 * shed_s:.0f} ms; two quiet tenants all answered, p99 "
            f"{1000 * added_s:+.0f} ms; loop late by {1000 * late_s:.0f} ms (p99); memory {grown:+.0f} MiB; "
            f"well after {back_s:.1f} s",
        )
        rig.gate("share of the capacity that was lost", 1 - served / peak, LOST)
        rig.gate("seconds for a refusal", shed_s, SHED_S)
        rig.gate("seconds added to a quiet tenant's p99", added_s, ADDED_S)
        rig.gate("seconds of lateness", late_s, LATE_S)
        rig.gate("MiB it grew by", grown, MEMORY_MB)
        rig.gate("seconds to recover", back_s, RECOVERY_S)
