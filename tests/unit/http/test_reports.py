"""The ledger's questions over HTTP."""

from __future__ import annotations

from typing import Any, get_args
from urllib.parse import quote

import pytest

from farthing.ports import Dimension, GroupBy
from farthing.store import Store
from tests.conformance.store.samples import HOUR_US, NOON_US, TOKENS_IN, TOKENS_OUT, exchange
from tests.servers.asgi import Client
from tests.unit.http.conftest import SECRETS

FROM_TO = "from=2025-12-01&to=2025-12-02"


@pytest.fixture
async def ledger(store: Store) -> list[str]:
    """Five requests of a day, the newest last; their ids."""
    rows = [
        exchange(created_at_us=NOON_US - HOUR_US),
        exchange(created_at_us=NOON_US, model="large", tier="complex", cost=2_000, baseline_cost=2_000),
        exchange(created_at_us=NOON_US + 1, status="cached", cost=0, cache="hit", cache_level="memory", user=None),
        exchange(created_at_us=NOON_US + 2, tenant="other", key_id="key-2", team=None, tags={}),
        exchange(
            created_at_us=NOON_US + 3, status="error", cost=None, provider="anthropic", model="unpriced", session="s-2"
        ),
    ]
    await store.ingest.write(rows)
    return [row.request_id for row in rows]


GROUPS: dict[str, dict[Any, tuple[int, float]]] = {
    "model": {"large": (1, 2e-6), "small": (3, 6e-7), "unpriced": (1, 0.0)},
    "provider": {"openai": (4, 2.6e-6), "anthropic": (1, 0.0)},
    "key": {"key-1": (4, 2.3e-6), "key-2": (1, 3e-7)},
    "team": {"support": (4, 2.3e-6), None: (1, 3e-7)},
    "user": {"ann": (4, 2.6e-6), None: (1, 0.0)},
    "tag": {"feature=triage": (4, 2.3e-6)},
    "hour": {"2025-12-01T11:00:00.000Z": (1, 3e-7), "2025-12-01T12:00:00.000Z": (4, 2.3e-6)},
    "day": {"2025-12-01T00:00:00.000Z": (5, 2.6e-6)},
}


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("group_by", get_args(GroupBy))
async def test_usage_by_every_group(open_client: Client, group_by: str) -> None:
    """Requests and dollars; the total does not depend on the group."""
    answer = (await open_client.get(f"/v1/usage?group_by={group_by}&{FROM_TO}")).json
    rows = {row["group"]: (row["requests"], row["cost"]) for row in answer["rows"]}
    assert rows.keys() == GROUPS[group_by].keys()
    for group, (requests, cost) in GROUPS[group_by].items():
        assert rows[group] == (requests, pytest.approx(cost))
    total = answer["total"]
    assert (total["requests"], total["tokens_in"], total["tokens_out"]) == (5, 5 * TOKENS_IN, 5 * TOKENS_OUT)
    assert total["unpriced_requests"] == 1
    assert (answer["group_by"], answer["from"], answer["to"]) == (
        group_by,
        "2025-12-01T00:00:00.000Z",
        "2025-12-02T00:00:00.000Z",
    )


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("dimension", get_args(Dimension))
async def test_usage_of_one_value(open_client: Client, dimension: str) -> None:
    """By hour, of every value of every dimension as much as the dimension itself says; of unknown ones nothing."""
    for value, (requests, cost) in GROUPS[dimension].items():
        if value is not None:
            answer = (await open_client.get(f"/v1/usage?group_by=hour&{dimension}={quote(value)}&{FROM_TO}")).json
            assert (answer["total"]["requests"], answer["total"]["cost"]) == (requests, pytest.approx(cost))
            assert sum(row["requests"] for row in answer["rows"]) == requests
    unknown = (await open_client.get(f"/v1/usage?group_by=day&{dimension}=x%3Dy&{FROM_TO}")).json
    assert (unknown["rows"], unknown["total"]["requests"]) == ([], 0)


@pytest.mark.parametrize(
    ("asked", "param", "words"),
    [
        ("group_by=day&team=a&user=b", "user", "so not by `team` and `user`"),
        ("group_by=model&team=a", "group_by", "Of one team sums are kept by hour and by day"),
        ("team=a", "group_by", "send `group_by=hour` or `group_by=day`"),
    ],
)
async def test_sums_that_are_not_kept_are_refused(open_client: Client, asked: str, param: str, words: str) -> None:
    """In words that tell what is."""
    answer = await open_client.get(f"/v1/usage?{asked}")
    error = answer.json["error"]
    assert (answer.status, error["code"], error["param"]) == (400, "invalid_parameter", param)
    assert words in error["message"]


@pytest.mark.usefixtures("ledger")
async def test_usage_keeps_to_its_stretch_of_time(open_client: Client) -> None:
    """The start included, the end not; by default the last 30 days, when none of these were made."""
    before_noon = "from=2025-12-01T11:00:00Z&to=2025-12-01T12:00:00Z"
    assert (await open_client.get(f"/v1/usage?{before_noon}")).json["total"]["requests"] == 1
    assert (await open_client.get("/v1/usage")).json["total"]["requests"] == 0


@pytest.mark.usefixtures("ledger")
async def test_savings_by_source(open_client: Client) -> None:
    """What was paid, what it would have cost, and the difference where both are known."""
    answer = (await open_client.get(f"/v1/savings?{FROM_TO}")).json
    assert answer["saved"] == pytest.approx(2.4e-6)
    assert answer["saved"] == pytest.approx(sum(answer["by_source"].values()))
    assert answer["by_source"]["answer_cache"] == pytest.approx(1e-6)
    assert answer["interval"] == [answer["saved"], answer["saved"]]
    assert (answer["method"], answer["unpriced_requests"]) == ("counted", 1)
    assert set(answer["by_source"]) == {"routing", "answer_cache", "prompt_cache", "batch", "overhead"}


async def test_measured_savings(open_client: Client, store: Store) -> None:
    """Against what was held back, with an interval, beside what is counted; quality needs ratings."""
    back = [
        exchange(arm="hold_back", experiment_id=None, user=f"u{n}", cost=1_000 + 10 * (n % 3), baseline_cost=1_000)
        for n in range(120)
    ]
    routed = [exchange(arm="routed", experiment_id=None, user=f"v{n}") for n in range(200)]
    await store.ingest.write([*back, *routed])
    measured = (await open_client.get(f"/v1/savings?{FROM_TO}")).json["measured"]
    assert (measured["method"], measured["requests"]) == ("measured", {"held_back": 120, "routed": 200})
    assert measured["saved"] == pytest.approx(200 * (1_010 - 300) / 1e9)
    low, high = measured["interval"]
    assert low < measured["saved"] < high
    assert measured["percent"] == pytest.approx(100 * 710 / 1_010)
    least, most = measured["percent_interval"]
    assert least < measured["percent"] < most
    assert measured["note"] is None
    assert measured["quality"]["ratings"] == {"held_back": 0, "routed": 0}
    assert measured["quality"]["difference"] is None
    assert measured["quality"]["note"].startswith("Too few ratings")


async def test_too_little_held_back_is_said(open_client: Client, store: Store) -> None:
    """In words, with how much there is."""
    empty = (await open_client.get(f"/v1/savings?{FROM_TO}")).json["measured"]
    assert empty["note"].startswith("Nothing was held back")
    await store.ingest.write([exchange(arm="hold_back", experiment_id=None)])
    little = (await open_client.get(f"/v1/savings?{FROM_TO}")).json["measured"]
    assert little["note"].startswith("Too little to say: 1 requests were held back, of 100")
    assert [little[name] for name in ("saved", "interval", "percent", "percent_interval")] == [None] * 4


async def test_the_ledger_is_paged_from_the_newest_on(open_client: Client, ledger: list[str]) -> None:
    """Each row once, whatever the size of a page."""
    for size in (1, 2, 5):
        found: list[str] = []
        cursor = ""
        while cursor is not None:
            page = (await open_client.get(f"/v1/requests?limit={size}{cursor and '&cursor='}{cursor}")).json
            found += [row["request_id"] for row in page["data"]]
            cursor = page["next_cursor"]
        assert found == ledger[::-1]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("status=cached", [2]),
        ("status=error", [4]),
        ("model=large", [1]),
        ("provider=anthropic", [4]),
        ("key=key-2", [3]),
        ("team=support", [4, 2, 1, 0]),
        ("user=ann", [4, 3, 1, 0]),
        ("session=s-2", [4]),
        ("tag=feature=triage", [4, 2, 1, 0]),
        ("tag=feature=other", []),
        ("from=2025-12-01T12:00:00Z&status=ok", [3, 1]),
        ("to=2025-12-01T12:00:00Z", [0]),
        ("model=%25", []),
        ("model=small'--", []),
    ],
)
async def test_pages_hold_what_was_wanted(open_client: Client, ledger: list[str], query: str, rows: list[int]) -> None:
    """Each filter alone and with others, over pages of one row; a wildcard is a character like any other."""
    found: list[int] = []
    cursor = ""
    while cursor is not None:
        page = (await open_client.get(f"/v1/requests?limit=1&{query}{cursor and '&cursor='}{cursor}")).json
        found += [ledger.index(row["request_id"]) for row in page["data"]]
        cursor = page["next_cursor"]
    assert found == rows


async def test_a_cursor_is_good_for_its_own_question_alone(client: Client, ledger: list[str]) -> None:
    """Forged, cut, of another filter or of another tenant: 400."""
    admin, acme = client.with_key(SECRETS.admin), client.with_key(SECRETS.acme)
    cursor = (await admin.get("/v1/requests?limit=1")).json["next_cursor"]
    changed = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    for asker, query in [
        (admin, "cursor=x"),
        (admin, "cursor="),
        (admin, "cursor=%00"),
        (admin, f"cursor={'A' * 512}"),
        (admin, f"cursor={changed}"),
        (admin, f"cursor={cursor[:-2]}"),
        (admin, f"cursor={cursor}&status=ok"),
        (acme, f"cursor={cursor}"),
    ]:
        answer = await asker.get(f"/v1/requests?{query}")
        assert (answer.status, answer.json["error"]["param"]) == (400, "cursor"), query
    assert (await admin.get(f"/v1/requests?limit=1&cursor={cursor}")).json["data"][0]["request_id"] == ledger[-2]


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/v1/requests?limit=0", "limit"),
        ("/v1/requests?limit=-1", "limit"),
        ("/v1/requests?limit=1001", "limit"),
        ("/v1/requests?limit=1e3", "limit"),
        ("/v1/requests?status=good", "status"),
        ("/v1/requests?model=", "model"),
        ("/v1/requests?model=%00", "model"),
        (f"/v1/requests?user={'x' * 257}", "user"),
        ("/v1/requests?tag=x", "tag"),
        ("/v1/requests?tag==x", "tag"),
        ("/v1/requests?from=never", "from"),
        ("/v1/requests?to=2025-12-01T12:00:00", "to"),
        ("/v1/requests?sort=;drop", "sort"),
        (f"/v1/requests?cursor={'A' * 513}", "cursor"),
        ("/v1/usage?group_by=password", "group_by"),
        ("/v1/usage?from=0000-01-01", "from"),
        ("/v1/usage?to=9999-12-31", "to"),
        ("/v1/savings?from=NaN", "from"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(open_client: Client, path: str, param: str) -> None:
    """By the name of its parameter."""
    answer = await open_client.get(path)
    error = answer.json["error"]
    assert (answer.status, error["param"]) == (400, param)
    assert error["code"] == "invalid_parameter"


async def test_one_request_tells_its_decision(client: Client, ledger: list[str]) -> None:
    """Every candidate and why it lost, money in dollars; for another tenant it is not there."""
    acme = client.with_key(SECRETS.acme)
    row = (await acme.get(f"/v1/requests/{ledger[0]}")).json
    assert (row["request_id"], row["cost"], row["created_at"]) == (ledger[0], 3e-7, "2025-12-01T11:00:00.000Z")
    assert row["decision"]["candidates"] == [{"model": "small", "estimated_cost": 5e-9}]
    assert (await acme.get(f"/v1/requests/{ledger[3]}")).status == 404
    assert (await client.with_key(SECRETS.other).get(f"/v1/requests/{ledger[3]}")).status == 200
    assert (await client.with_key(SECRETS.admin).get(f"/v1/requests/{ledger[3]}")).status == 200
    assert (await acme.get("/v1/requests/never")).status == 404


async def test_wherever_money_is_it_is_told_how_old_the_prices_are(client: Client) -> None:
    """The same small object everywhere, which `GET /health` tells the page."""
    admin = client.with_key(SECRETS.admin)
    paths = ("/stats", "/v1/usage", "/v1/savings", "/v1/forecast", "/reports/2025-12", "/admin/invoices/acme/2025-12")
    for path in (*paths, "/health"):
        assert (await admin.get(path)).json["prices"] == {"source": "demo", "newest": None}, path


@pytest.mark.usefixtures("ledger")
async def test_everything_so_far_at_a_glance(client: Client) -> None:
    """A tenant sees its own, an admin all of it."""
    answer = (await client.with_key(SECRETS.admin).get("/stats")).json
    assert answer["demo"] is True
    overall = answer["overall"]
    assert (overall["total_requests"], overall["cache_hits"]) == (5, 1)
    assert overall["total_cost"] == pytest.approx(2.6e-6)
    assert len(answer["recent_requests"]) == 5
    assert {row["provider"] for row in answer["by_provider"]} == {"openai", "anthropic"}
    other = (await client.with_key(SECRETS.other).get("/stats")).json
    assert (other["overall"]["total_requests"], len(other["recent_requests"])) == (1, 1)


@pytest.mark.usefixtures("ledger")
async def test_routing_figures_are_those_of_the_ledger(open_client: Client) -> None:
    """By strategy, confidence, provider and cache, with the moment they were made."""
    answer = (await open_client.get("/routing/metrics")).json
    assert answer["strategy_performance"]["complexity"]["total_cost"] == pytest.approx(2.6e-6)
    assert answer["confidence_distribution"] == {"high": 5, "medium": 0, "low": 0}
    assert answer["provider_usage"]["anthropic"] == {"requests": 1, "cost": 0.0}
    assert answer["cache"] == {"hits": 1, "misses": 4, "hit_rate": 0.2}
    assert answer["generated_at"].endswith("Z")
    again = (await open_client.get("/routing/metrics")).json
    ages = answer.pop("age_seconds"), again.pop("age_seconds")
    assert 0 <= ages[0] <= ages[1]
    assert again == answer


async def test_the_cache_tells_what_it_is_worth(open_client: Client) -> None:
    """Entries, hits by level, and what was asked most."""
    for _ in range(3):
        await open_client.post("/complete", {"prompt": "What is Python?"})
    answer = (await open_client.get("/cache/stats")).json
    assert (answer["total_hits"], answer["by_level"]) == (2, {"memory": 2})
    assert answer["hit_rate_percent"] == pytest.approx(200 / 3)
    assert answer["total_savings"] > 0


async def test_people_see_what_they_have_just_done(open_client: Client) -> None:
    """Figures are caught up with the journal before they are told."""
    for count in range(1, 4):
        answer = await open_client.post("/complete", {"prompt": f"Question {count}"})
        rows = (await open_client.get("/v1/requests")).json["data"]
        assert rows[0]["request_id"] == answer.json["request_id"]
        assert len(rows) == count
