"""What a host knows of keys outlives its processes for ten minutes, and nobody can make it up."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import msgpack
from msgspec.structs import replace

from farthing.app.keyfile import PORTION, RENEW_EVERY_S, KeyFile, Known
from farthing.app.keyring import STALE_S
from farthing.background.clock import ManualClock
from farthing.domain.budget import Budget, Step
from farthing.domain.keys import Caller, Key
from farthing.domain.limits import Limits
from farthing.domain.secrecy import Secret
from farthing.domain.tenancy import KeyChanges, Team, Tenant

SECRET = Secret(b"the gateway's own")
LIMITS = Limits(requests_per_minute=1, tokens_per_minute=None, concurrent_requests=None)
CALLER = Caller(tenant="acme", key_id="a", team="blue", allowed_models=frozenset({"small", "large"}), limits=LIMITS)
KEY = Key(caller=CALLER, name="a", hint="…", is_blocked=True, is_revoked=True, expires_at_us=7)
CHANGES = KeyChanges(
    number=3,
    keys={b"\x00digest": KEY, b"other": Key(caller=Caller(tenant="other"), name="b", hint="…")},
    has_all=True,
    tenants=[Tenant(tenant="acme", name="Acme", plan="pro", is_blocked=True)],
    teams=[Team(tenant="acme", team="blue", name="Blue", limits=LIMITS)],
)
BUDGET = Budget(
    id="b", tenant="acme", scope="team", subject="blue", window="day", limit=5, degrade=(Step(80, "cheaper"),)
)

Make = Callable[..., KeyFile]


@pytest.fixture
def clock() -> ManualClock:
    """Stands still."""
    return ManualClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file lies, in a folder that is not there yet."""
    return tmp_path / "keys" / "a-database"


@pytest.fixture
def make(path: Path, clock: ManualClock) -> Iterator[Make]:
    """A process's own view of the file, by default with the gateway's secret."""
    made: list[KeyFile] = []

    def view(secret: Secret[bytes] = SECRET, at: Path = path) -> KeyFile:
        made.append(KeyFile(at, secret, clock))
        return made[-1]

    yield view
    for each in made:
        each.release()


@pytest.fixture
def known(clock: ManualClock) -> Known:
    """What was told a moment ago."""
    return Known(
        at_us=clock.now_us(),
        changes=CHANGES,
        owners=[("acme", "openai")],
        budgets=[BUDGET],
        spent={"b": 2},
        spent_at_us=clock.now_us() - 1,
    )


def mode(path: Path) -> int:
    """Who may do what with it."""
    return path.stat().st_mode & 0o777


def content(path: Path) -> bytes | None:
    """None where there is no such file."""
    return path.read_bytes() if path.exists() else None


async def test_what_was_written_is_read_by_the_next(make: Make, path: Path, known: Known) -> None:
    """All of it, and by nobody but the user whose gateway it is."""
    one = make()
    await one.keep(1, lambda: known)
    assert make().read() == known
    assert [mode(path), mode(path.parent)] == [0o600, 0o700]


async def test_many_keys_are_written_in_portions(make: Make, known: Known) -> None:
    """And read as one."""
    many = {str(number).encode(): KEY for number in range(2 * PORTION + 1)}
    known = replace(known, changes=replace(CHANGES, keys=many))
    await make().keep(1, lambda: known)
    assert make().read() == known


async def test_it_is_written_when_it_changes_or_gets_old(
    make: Make, path: Path, known: Known, clock: ManualClock
) -> None:
    """And else left alone, however often it is looked at."""
    file, told = make(), list[int]()

    def tell() -> Known:
        told.append(1)
        return replace(known, at_us=clock.now_us())

    for number, seconds in ((1, 0.0), (1, 0.0), (1, RENEW_EVERY_S - 1), (2, 0.0), (2, 0.0), (2, RENEW_EVERY_S)):
        clock.advance(seconds)
        await file.keep(number, tell)
    assert len(told) == 3
    found = file.read()
    assert found is not None
    assert found.at_us == clock.now_us()


async def test_many_changes_of_many_keys_are_written_now_and_then(
    make: Make, known: Known, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What took a tenth of a second is left alone for a second."""
    file, told = make(), list[int]()

    def slow(_: int) -> None:
        clock.advance(0.05)

    monkeypatch.setattr(os, "fsync", slow)

    def tell() -> Known:
        told.append(1)
        return known

    for number, seconds in ((1, 0.0), (2, 0.0), (3, 0.85), (4, 0.1), (5, 0.0)):
        clock.advance(seconds)
        await file.keep(number, tell)
    assert len(told) == 2


async def test_one_process_of_a_host_writes_until_it_ends(make: Make, known: Known) -> None:
    """Then another does."""
    one, other = make(), make()
    await one.keep(1, lambda: known)
    later = replace(known, spent={"b": 3})
    await other.keep(1, lambda: later)
    assert make().read() == known
    one.release()
    await other.keep(1, lambda: later)
    assert make().read() == later


@pytest.mark.parametrize(("age_s", "is_used"), [(STALE_S, True), (STALE_S + 1, False), (-60, True), (-61, False)])
async def test_ten_minutes_are_the_most(
    make: Make, known: Known, clock: ManualClock, caplog: pytest.LogCaptureFixture, age_s: float, *, is_used: bool
) -> None:
    """What is older may tell of keys that were revoked since; hosts' clocks may differ a little."""
    await make().keep(1, lambda: known)
    clock.set(known.at_us + round(age_s * 1e6))
    assert (make().read() == known) is is_used
    [line] = caplog.messages
    assert (f"{age_s:.0f} s old: not used" in line) is not is_used


def spoil(path: Path, how: str) -> None:
    """Does something to the file that can happen to files."""
    raw = path.read_bytes()
    if how == "torn":
        path.write_bytes(raw[: len(raw) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "forged":
        path.write_bytes(raw.replace(b"\xaais_blocked\xc3", b"\xaais_blocked\xc2"))
        assert path.read_bytes() != raw
    else:
        path.unlink()


@pytest.mark.parametrize("how", ["torn", "empty", "forged", "gone"])
async def test_what_is_not_whole_or_not_ours_is_ignored_and_told(
    make: Make, path: Path, known: Known, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """In one line."""
    await make().keep(1, lambda: known)
    spoil(path, how)
    assert make().read() is None
    assert len(caplog.messages) == 1


async def test_the_file_of_another_gateway_or_database_is_ignored(make: Make, path: Path, known: Known) -> None:
    """Also under the right name, and where it was written by another release."""
    other = path.with_name("another-database")
    await make(at=other).keep(1, lambda: known)
    other.rename(path)
    assert make().read() is None
    assert make(Secret(b"another's"), other).read() is None


async def test_a_foreign_form_is_ignored(make: Make, path: Path, monkeypatch: pytest.MonkeyPatch, known: Known) -> None:
    """Signed by us, and not what this release writes."""
    monkeypatch.setattr(msgpack, "encode", lambda _: b"\x01")
    await make().keep(1, lambda: known)
    monkeypatch.undo()
    assert content(path) is not None
    assert make().read() is None


async def test_a_file_that_cannot_be_replaced_is_deleted(
    make: Make, path: Path, known: Known, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It may tell of a key that has been revoked since. Said once; written again when the disk allows it."""
    file = make()
    await file.keep(1, lambda: known)

    def full(_: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", full)
    for number in (2, 3):
        await file.keep(number, lambda: known)
    assert content(path) is None
    assert [message.rpartition(": ")[2] for message in caplog.messages] == ["no space"]
    monkeypatch.undo()
    await file.keep(3, lambda: known)
    assert make().read() == known


async def test_who_cannot_write_at_all_spoils_nobody_elses_file(
    make: Make, known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a process without a descriptor left."""
    await make().keep(1, lambda: known)

    def broken(*_: object) -> None:
        raise OSError("no locks available")

    monkeypatch.setattr(fcntl, "flock", broken)
    await make().keep(1, lambda: known)
    monkeypatch.undo()
    assert make().read() == known


async def test_no_secret_is_in_the_file(make: Make, path: Path, known: Known) -> None:
    """Digests alone; nor what the file is signed with."""
    await make().keep(1, lambda: known)
    assert SECRET.reveal() not in (content(path) or SECRET.reveal())
