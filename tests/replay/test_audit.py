"""The audit notices a ledger that is wrong by one nano-dollar, one row or one token."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from aiohttp import web

from benchmarks.replay import audit
from benchmarks.replay.passes import Pass, ReplayFailed, Reply
from benchmarks.replay.recordings import CHEAP, STRONG, Recording
from tests.servers.application import Served

Rows = list[dict[str, Any]]
NANO_USD = 1e-9


@pytest.fixture
def passes(made_up: Sequence[Recording]) -> Sequence[Pass]:
    """All prompts bought at the strong model, then the cheap one's kept answers."""
    bought = [Reply(each, f"b{each.id}", STRONG, "hybrid", "miss", stream=False) for each in made_up]
    kept = [Reply(each, f"k{each.id}", CHEAP, "hybrid", "hit", stream=True) for each in made_up]
    return [Pass(bought, 1.0), Pass(kept, 1.0)]


@pytest.fixture
def rows(passes: Sequence[Pass]) -> Rows:
    """The ledger's rows for these passes as a right gateway shows them, newest first."""
    rows: Rows = []
    for position, reply in enumerate(reply for each in passes for reply in each.replies):
        tokens_in, tokens_out = reply.recording.tokens(reply.model)
        hit = reply.cache == "hit"
        rows.insert(
            0,
            {
                "request_id": reply.request_id,
                "created_at": f"2026-11-21T00:00:0{position}Z",
                "status": "cached" if hit else "ok",
                "model": reply.model,
                "tokens_in": tokens_in,
                "tokens_out": tokens_out,
                "cost": 0 if hit else (tokens_in + tokens_out) * 24_700 * NANO_USD,
                "baseline_cost": (tokens_in + tokens_out) * 24_700 * NANO_USD,
                "cache_hit": hit,
            },
        )
    return rows


Ledger = Callable[[Rows, dict[str, Any]], str]


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """Serves rows, two to a page, and totals over them with the given differences; gives the address."""
    monkeypatch.setattr(audit, "PAGE", 2)
    monkeypatch.setattr(audit, "BOOKED_SECONDS", 0.2)
    running: list[Served] = []

    def serve(rows: Rows, differences: dict[str, Any]) -> str:
        async def stats(_: web.Request) -> web.Response:
            return web.json_response({"overall": totals(rows) | differences})

        async def page(request: web.Request) -> web.Response:
            start, limit = int(request.query.get("cursor", 0)), int(request.query["limit"])
            following = str(start + limit) if start + limit < len(rows) else None
            return web.json_response({"data": rows[start : start + limit], "next_cursor": following})

        application = web.Application()
        application.router.add_get("/stats", stats)
        application.router.add_get("/v1/requests", page)
        running.append(Served(application).__enter__())
        return running[0].url

    yield serve
    running[0].__exit__(None, None, None)


def totals(rows: Rows) -> dict[str, Any]:
    """What /stats says of these rows."""
    return {
        "total_requests": len(rows),
        "total_cost": sum(row["cost"] for row in rows),
        "total_tokens_in": sum(row["tokens_in"] for row in rows),
        "total_tokens_out": sum(row["tokens_out"] for row in rows),
        "cache_hits": sum(row["cache_hit"] for row in rows),
        "total_savings": sum(row["baseline_cost"] - row["cost"] for row in rows),
    }


async def test_a_right_ledger_passes(passes: Sequence[Pass], rows: Rows, ledger: Ledger) -> None:
    """Every row on every page is compared."""
    assert await audit.check_ledger(ledger(rows, {}), passes) == 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[4].update(cost=rows[4]["cost"] + NANO_USD), "instead of"),
        (lambda rows: rows[0].update(baseline_cost=rows[0]["baseline_cost"] - NANO_USD), "instead of"),
        (lambda rows: rows[0].update(cost=NANO_USD), "instead of"),
        (lambda rows: rows[3].update(tokens_out=11), "instead of"),
        (lambda rows: rows[3].update(model=CHEAP), "instead of"),
        (lambda rows: rows[3].update(status="error"), "instead of"),
        (lambda rows: rows.append(dict(rows[-1])), "7 rows, 6 of them different, for 6 requests"),
        (lambda rows: rows.pop(), "5 rows"),
        (lambda rows: rows.reverse(), "not newest first"),
    ],
)
async def test_a_wrong_row_is_noticed(
    passes: Sequence[Pass], rows: Rows, ledger: Ledger, change: Callable[[Rows], None], said: str
) -> None:
    """One nano-dollar, token, model, status, row too many or too few, or the wrong order."""
    change(rows)
    with pytest.raises(ReplayFailed, match=said):
        await audit.check_ledger(ledger(rows, {}), passes)


@pytest.mark.parametrize(
    "name", ["total_requests", "total_cost", "total_tokens_in", "total_tokens_out", "cache_hits", "total_savings"]
)
async def test_a_wrong_total_is_noticed(passes: Sequence[Pass], rows: Rows, ledger: Ledger, name: str) -> None:
    """Rows may be right and the aggregates wrong."""
    right = totals(rows)[name]
    wrong = right + NANO_USD if isinstance(right, float) else right + 1
    with pytest.raises(ReplayFailed, match=f"{name} is"):
        await audit.check_ledger(ledger(rows, {name: wrong}), passes)
