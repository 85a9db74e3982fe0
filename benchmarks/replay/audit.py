"""Recomputes, from recordings and prices alone, what the gateway's ledger must say, and compares to the nano-dollar."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import msgspec

from benchmarks.replay.passes import Pass, ReplayFailed, Reply
from benchmarks.replay.recordings import STRONG

PAGE = 500
BOOKED_SECONDS = 20.0
"""How long the ledger may take to hold what was answered."""
NANO = 10**9


class Line(msgspec.Struct, frozen=True):
    """What one row of the ledger must say. Money in nano-dollars."""

    request_id: str
    status: str
    model: str
    tokens_in: int
    tokens_out: int
    cost: int
    baseline_cost: int
    cache_hit: bool


def expected(reply: Reply) -> Line:
    """The row of a reply by the recording alone."""
    tokens_in, tokens_out = reply.recording.tokens(reply.model)
    hit = reply.cache == "hit"
    return Line(
        request_id=reply.request_id,
        status="cached" if hit else "ok",
        model=reply.model,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost=0 if hit else reply.recording.cost(reply.model, reply.model),
        baseline_cost=reply.recording.cost(reply.model, STRONG),
        cache_hit=hit,
    )


def booked(row: Mapping[str, Any]) -> Line:
    """The row as the gateway shows it, its dollars back in whole nano-dollars."""
    return Line(
        request_id=row["request_id"],
        status=row["status"],
        model=row["model"],
        tokens_in=row["tokens_in"],
        tokens_out=row["tokens_out"],
        cost=nano(row["cost"]),
        baseline_cost=nano(row["baseline_cost"]),
        cache_hit=row["cache_hit"],
    )


def nano(usd: float) -> int:
    """Nano-dollars of an amount that was a whole number of them before it became JSON."""
    return round(usd * NANO)


async def check_ledger(url: str, passes: Sequence[Pass]) -> int:
    """Compares rows and totals with all replies; the number of rows. Raises `ReplayFailed` at the first difference."""
    lines = [expected(reply) for each in passes for reply in each.replies]
    async with aiohttp.ClientSession(url) as session:
        overall = await _settled(session, len(lines))
        rows = await _rows(session)
    _compare_rows(lines, rows)
    totals = {
        "total_requests": (overall["total_requests"], len(lines)),
        "total_cost": (nano(overall["total_cost"]), sum(line.cost for line in lines)),
        "total_tokens_in": (overall["total_tokens_in"], sum(line.tokens_in for line in lines)),
        "total_tokens_out": (overall["total_tokens_out"], sum(line.tokens_out for line in lines)),
        "cache_hits": (overall["cache_hits"], sum(line.cache_hit for line in lines)),
        "total_savings": (nano(overall["total_savings"]), sum(line.baseline_cost - line.cost for line in lines)),
    }
    for name, (got, want) in totals.items():
        if got != want:
            raise ReplayFailed(f"/stats: {name} is {got}, recomputed {want}")
    return len(rows)


def _compare_rows(lines: Sequence[Line], rows: Sequence[Mapping[str, Any]]) -> None:
    """Each reply has exactly its row, and the pages run from new to old."""
    moments = [row["created_at"] for row in rows]
    if moments != sorted(moments, reverse=True):
        raise ReplayFailed("/v1/requests: the rows are not newest first")
    by_id = {row["request_id"]: booked(row) for row in rows}
    if len(by_id) != len(rows) or len(rows) != len(lines):
        raise ReplayFailed(f"/v1/requests: {len(rows)} rows, {len(by_id)} of them different, for {len(lines)} requests")
    for line in lines:
        if by_id.get(line.request_id) != line:
            raise ReplayFailed(f"/v1/requests: {by_id.get(line.request_id)} instead of {line}")


async def _settled(session: aiohttp.ClientSession, requests: int) -> dict[str, Any]:
    """The `overall` part of /stats once so many requests are booked, or when patience ends."""
    end = time.monotonic() + BOOKED_SECONDS
    while True:
        overall: dict[str, Any] = (await _json(session, "/stats"))["overall"]
        if overall["total_requests"] >= requests or time.monotonic() > end:
            return overall
        await asyncio.sleep(0.1)


async def _rows(session: aiohttp.ClientSession) -> list[dict[str, Any]]:
    """Every row of the ledger, page by page."""
    rows: list[dict[str, Any]] = []
    query = {"limit": str(PAGE)}
    while True:
        page = await _json(session, "/v1/requests", query)
        rows += page["data"]
        if page["next_cursor"] is None:
            return rows
        query["cursor"] = page["next_cursor"]


async def _json(session: aiohttp.ClientSession, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    async with session.get(path, params=query) as response:
        raw = await response.read()
        if response.status != 200:
            raise ReplayFailed(f"{path}: status {response.status}: {raw[:300]!r}")
    return dict(msgspec.json.decode(raw))
