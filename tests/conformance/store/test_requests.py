"""The ledger row by row, asked of every database."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from random import Random

import pytest

from farthing.domain.errors import InvalidRequest, NotFound
from farthing.domain.ids import uuid7
from farthing.ports import Filter
from farthing.store import Store
from farthing.store.aggregates import MINUTE_US
from farthing.store.queries import narrowing
from tests.conformance.store.samples import DAY_US, NOON_US, exchange


async def test_pages_hold_every_row_once_newest_first(store: Store) -> None:
    """Following the cursors through moments that repeat and months that differ passes each row once."""
    batch = [exchange(created_at_us=NOON_US - place // 3 * 20 * DAY_US) for place in range(12)]
    await store.ingest.write(batch)
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        rows = await store.queries.requests("acme", Filter(), limit=5, cursor=cursor)
        seen += [row["request_id"] for row in rows.data]
        cursor, pages = rows.next_cursor, pages + 1
    ordered = sorted(batch, key=lambda one: (one.created_at_us, one.request_id), reverse=True)
    assert (seen, pages) == ([one.request_id for one in ordered], 3)


async def test_a_page_that_is_just_full_is_the_last(store: Store) -> None:
    """No cursor leads to an empty page."""
    await store.ingest.write([exchange(), exchange()])
    assert (await store.queries.requests("acme", Filter(), limit=2)).next_cursor is None


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(status="error"),
        Filter(model="large"),
        Filter(provider="other"),
        Filter(key="key-2"),
        Filter(team="sales"),
        Filter(user="bob"),
        Filter(session="s-2"),
        Filter(tag="feature=search=fast"),
        Filter(from_us=NOON_US + 1),
        Filter(tag='odd"name=%'),
    ],
)
async def test_filters(store: Store, wanted: Filter) -> None:
    """Each filter alone finds the one row that differs."""
    different = exchange(
        created_at_us=NOON_US + 1,
        status="error",
        model="large",
        provider="other",
        key_id="key-2",
        team="sales",
        user="bob",
        session="s-2",
        tags={"feature": "search=fast", 'odd"name': "%"},
    )
    await store.ingest.write([exchange(), different, exchange(tags={})])
    found = await store.queries.requests("acme", wanted)
    assert [row["request_id"] for row in found.data] == [different.request_id]


async def test_wildcards_are_ordinary_characters(store: Store) -> None:
    """Nothing is matched by pattern: a per cent sign finds only itself."""
    await store.ingest.write([exchange(user="%"), exchange(user="ann")])
    for sign, count in (("%", 1), ("_" * 1000, 0), ("%" * 1000, 0), ("\\", 0)):
        assert len((await store.queries.requests("acme", Filter(user=sign))).data) == count


async def test_the_end_of_a_filter_is_not_included(store: Store) -> None:
    """Rows from one moment up to another."""
    await store.ingest.write([exchange(created_at_us=NOON_US + place) for place in range(3)])
    found = await store.queries.requests("acme", Filter(from_us=NOON_US, to_us=NOON_US + 2))
    assert [row["created_at"] for row in found.data] == [NOON_US + 1, NOON_US]


async def test_a_cursor_continues_only_its_own_question(store: Store) -> None:
    """Another tenant's, another filter's, a changed and an invented cursor are refused."""
    await store.ingest.write([exchange(), exchange(), exchange(tenant="bolt")])
    cursor = (await store.queries.requests("acme", Filter(), limit=1)).next_cursor
    assert cursor is not None
    forged = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    for tenant, wanted, text in [
        ("bolt", Filter(), cursor),
        (None, Filter(), cursor),
        ("acme", Filter(model="small"), cursor),
        ("acme", Filter(), forged),
        ("acme", Filter(), cursor[:-4]),
        ("acme", Filter(), ""),
        ("acme", Filter(), "é"),
        ("acme", Filter(), "A" * 10_001),
    ]:
        with pytest.raises(InvalidRequest) as refused:
            await store.queries.requests(tenant, wanted, limit=1, cursor=text)
        assert (refused.value.code, refused.value.param) == ("invalid_parameter", "cursor")


async def test_a_character_that_no_column_holds_finds_nothing_or_is_refused(store: Store) -> None:
    """NUL in a filter is the caller's mistake, not ours."""
    if store._engines.backend.name == "sqlite":
        assert (await store.queries.requests("acme", Filter(user="a\x00"))).data == []
    else:
        with pytest.raises(InvalidRequest, match="cannot be stored") as refused:
            await store.queries.requests("acme", Filter(user="a\x00"))
        assert refused.value.code == "invalid_parameter"


@pytest.mark.parametrize("unknown", ["", "nonsense", "0" * 32, "{" + "0" * 32 + "}", uuid7(NOON_US, 1), "a\x00b"])
async def test_an_unknown_request_is_not_found(store: Store, unknown: str) -> None:
    """Whether it looks like an id or not."""
    with pytest.raises(NotFound):
        await store.queries.request(None, unknown)


VALUES: Mapping[str, tuple[str | None, ...]] = {
    "status": ("ok", "error"),
    "model": ("small", "large"),
    "key_id": ("key-1", "key-2"),
    "team": (None, "sales"),
    "user": ("ann", "bob", "x" * 300, "x" * 301),
    "session": (None, "s-1"),
    "tenant": ("acme", "bolt"),
}
FIELDS = {"key_id": "key"}
"""How a filter calls them, where it is another name."""


async def test_every_row_is_found_that_is_like_the_filter(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rare values and common ones, alone and together, page by page, however far the rows lie from one another."""
    dice = Random(7)
    gaps = (1, MINUTE_US, 59 * MINUTE_US, DAY_US, 40 * DAY_US)
    moments = accumulate([-dice.choice(gaps) for _ in range(40)], initial=NOON_US)
    batch = [
        exchange(
            created_at_us=moment,
            tags={"feature": dice.choice(("a", "b"))},
            **{name: dice.choices(some, range(len(some), 0, -1))[0] for name, some in VALUES.items()},
        )
        for moment in moments
    ]
    await store.ingest.write(batch)
    newest = sorted(batch, key=lambda one: (one.created_at_us, one.request_id), reverse=True)
    for _ in range(12):
        monkeypatch.setattr(narrowing, "READ", dice.choice((0, 3, 2000)))
        like = dice.choice(batch)
        names = dice.sample(["status", "model", "key_id", "team", "user", "session"], dice.randrange(3))
        begin = like.created_at_us if dice.random() < 0.5 else None
        tag = f"feature={like.tags['feature']}" if dice.random() < 0.3 else None
        tenant = dice.choice((None, like.tenant))
        values = {name: value for name in names if (value := getattr(like, name)) is not None}
        wanted = Filter(from_us=begin, tag=tag, **{FIELDS.get(name, name): value for name, value in values.items()})
        found, cursor, pages = [], None, 0
        while pages == 0 or cursor:
            rows = await store.queries.requests(tenant, wanted, limit=7, cursor=cursor)
            found += [row["request_id"] for row in rows.data]
            cursor, pages = rows.next_cursor, pages + 1
        assert found == [
            one.request_id
            for one in newest
            if all(getattr(one, name) == value for name, value in values.items())
            and (begin is None or one.created_at_us >= begin)
            and (tag is None or one.tags == like.tags)
            and tenant in (None, one.tenant)
        ]
