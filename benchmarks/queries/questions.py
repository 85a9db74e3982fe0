"""What people and programs ask the ledger, and how long each answer takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from benchmarks.micro.meter import on_processor
from benchmarks.queries.trials import TENANT, analysed
from farthing.background.clock import ManualClock
from farthing.domain.budget import DAY_US
from farthing.domain.errors import Unavailable
from farthing.insight.routing_metrics import RoutingMetrics
from farthing.ports import Filter, Stretch
from farthing.store import Store

GOAL_MS, CACHED_GOAL_MS = 50.0, 10.0
LEAST_TIMES, LEAST_SECONDS = 5, 0.3

Ask = Callable[[], Awaitable[Any]]


class Question(msgspec.Struct, frozen=True):
    """One question; the goal is for a whole answer, in milliseconds, None where it takes longer the more there is."""

    name: str
    ask: Ask
    goal_ms: float | None = GOAL_MS


class Took(msgspec.Struct, frozen=True):
    """Milliseconds for one answer: of processor, our least and the server's mean; on the wall, the median."""

    cpu_ms: float
    wall_ms: float


async def questions(store: Store, now_us: int) -> list[Question]:
    """All of them, as asked at `now_us` of a ledger in which an experiment has begun (`trials.begin`)."""
    queries, month = store.queries, Stretch(now_us - 30 * DAY_US, now_us)
    known = (await queries.requests(None, Filter(to_us=now_us - 5 * DAY_US), limit=1)).data[0]["request_id"]
    cached = RoutingMetrics(queries=queries, shared=None, clock=ManualClock(now_us))
    return [
        Question("usage by model, 30 days", lambda: queries.usage(None, "model", month)),
        Question("usage by user, 30 days", lambda: queries.usage(None, "user", month)),
        Question("usage by user of a tenant, 30 days", lambda: queries.usage(TENANT, "user", month)),
        Question("usage by tag, 30 days", lambda: queries.usage(None, "tag", month)),
        Question("usage by day, 30 days", lambda: queries.usage(None, "day", month)),
        Question("usage by hour, a week", lambda: queries.usage(None, "hour", Stretch(now_us - 7 * DAY_US, now_us))),
        Question("usage by user, all time", lambda: queries.usage(None, "user", Stretch())),
        Question("savings, 30 days", lambda: queries.savings(None, month)),
        Question("savings of a tenant, all time", lambda: queries.savings(TENANT, Stretch())),
        Question("stats", lambda: queries.stats(None)),
        Question("stats of a tenant", lambda: queries.stats(TENANT)),
        Question("routing metrics", lambda: queries.routing_metrics(None)),
        Question("routing metrics, asked again", lambda: cached.latest(None), CACHED_GOAL_MS),
        Question("spent today", lambda: queries.spent_today(now_us)),
        Question("newest 50 requests", lambda: queries.requests(None, Filter())),
        Question("newest 50 of a tenant", lambda: queries.requests(TENANT, Filter())),
        Question("newest 50 of a user", lambda: queries.requests(None, Filter(user="user-7"))),
        Question("newest 50 with a tag", lambda: queries.requests(None, Filter(tag="feature=f1"))),
        Question("50 requests, 5 days ago", lambda: queries.requests(None, Filter(to_us=now_us - 5 * DAY_US))),
        Question("a session that is not there", lambda: queries.requests(None, Filter(session="none"))),
        Question("one request", lambda: queries.request(None, known)),
        Question("an experiment of a tenth of the rows", lambda: analysed(store), goal_ms=None),
    ]


async def ask(question: Question, server: int | None, seconds: float = LEAST_SECONDS) -> Took | None:
    """How long the answer takes; None where the database gave up on it. `server` is its process."""
    cpu, wall = list[float](), list[float]()
    try:
        await question.ask()
        before = _of_server(server)
        while len(wall) < LEAST_TIMES or sum(wall) < seconds:
            begin, used = time.perf_counter(), time.process_time()
            await question.ask()
            wall.append(time.perf_counter() - begin)
            cpu.append(time.process_time() - used)
        servers = (_of_server(server) - before) / len(wall)
    except Unavailable:
        return None
    return Took(1000 * (min(cpu) + servers), 1000 * statistics.median(wall))


def _of_server(server: int | None) -> float:
    return on_processor(server) / 1e9 if server else 0.0


def found(answers: Mapping[str, Any]) -> int:
    """How many requests an answer of `stats` counts."""
    return int(answers["overall"]["total_requests"])
