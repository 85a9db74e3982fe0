"""S16: how long a wrong key takes to refuse tells nothing of the right one."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from math import sqrt
from random import Random
from statistics import fmean, median, quantiles, variance
from time import perf_counter_ns

import pytest
from msgspec.structs import replace

from farthing.domain.errors import Unauthenticated
from farthing.domain.keys import Caller, Key
from farthing.domain.secrets import digest, mint
from farthing.gateway.admission import admit
from tests.unit.gateway.rig import Rig

SAMPLES = 20_000
LEAK = 4.5
"""The value of t above which Reparaz, Balasch and Verbauwhede ("dudect", 2017, section 3) call a leak."""
LIKELY = 20
"""Twentieths: samples beyond the largest of these were interrupted by something else."""
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SECRET, BLOCKED, EXPIRED = mint(b"r" * 32), mint(b"b" * 32), mint(b"e" * 32)
BODY = len("sk-farthing-")


@pytest.fixture(autouse=True)
def _no_collections() -> Iterator[None]:
    """A collection in the midst of a sample would be most of it."""
    gc.disable()
    yield
    gc.enable()


def taken(credential: str) -> int:
    """Nanoseconds until this credential is refused."""
    started = perf_counter_ns()
    with pytest.raises(Unauthenticated):
        admit(SNAPSHOT, credential, 0)
    return perf_counter_ns() - started


def snapshot_keys() -> dict[bytes, Key]:
    """One key that opens, one that is blocked, one that has expired."""
    key = Key(caller=Caller(tenant="acme", key_id="k"), name="k", hint="")
    expired = replace(key, expires_at_us=-1)
    return {digest(SECRET): key, digest(BLOCKED): replace(key, is_blocked=True), digest(EXPIRED): expired}


SNAPSHOT = replace(Rig([]).snapshots.current, keys=snapshot_keys())


def welch(first: list[int], second: list[int]) -> float:
    """Welch's t of two samples, without what the machine's other work has prolonged."""
    bound = quantiles([*first, *second], n=LIKELY)[-1]
    left, right = ([value for value in values if value <= bound] for values in (first, second))
    return (fmean(left) - fmean(right)) / sqrt(variance(left) / len(left) + variance(right) / len(right))


def measured(classes: list[Callable[[Random], str]], dice: Random) -> list[list[int]]:
    """Samples of each class, in an order drawn by lot; no credential comes twice, and all are at hand before."""
    order = [number for number in range(len(classes)) for _ in range(SAMPLES)]
    dice.shuffle(order)
    asked = [(number, classes[number](dice)) for number in order]
    found: list[list[int]] = [[] for _ in classes]
    for number, credential in asked:
        found[number].append(taken(credential))
    return found


def wrong_at_the_start(dice: Random) -> str:
    """The right key but for its first six characters."""
    return SECRET[:BODY] + "".join(dice.choices(ALPHABET, k=6)) + SECRET[BODY + 6 :]


def wrong_at_the_end(dice: Random) -> str:
    """The right key but for the last six characters before its checksum, which everybody can work out."""
    return SECRET[:-12] + "".join(dice.choices(ALPHABET, k=6)) + SECRET[-6:]


def test_a_guess_that_is_nearly_right_takes_as_long_as_any() -> None:
    """20,000 keys that are wrong at their beginning and 20,000 at their end, by Welch's t."""
    starts, ends = measured([wrong_at_the_start, wrong_at_the_end], Random(16))
    assert abs(welch(starts, ends)) < LEAK


def test_the_measure_sees_a_comparison_that_stops_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up that goes on for a microsecond with each right character is a leak, and is found."""
    right = digest

    def leaky(credential: str) -> bytes:
        shared = next((at for at, pair in enumerate(zip(credential, SECRET, strict=False)) if pair[0] != pair[1]), 0)
        until = perf_counter_ns() + shared * 50
        while perf_counter_ns() < until:
            pass
        return right(credential)

    monkeypatch.setattr("farthing.gateway.admission.digest", leaky)
    monkeypatch.setattr(f"{__name__}.SAMPLES", 1_000)
    starts, ends = measured([wrong_at_the_start, wrong_at_the_end], Random(16))
    assert abs(welch(starts, ends)) > LEAK


def test_a_blocked_or_expired_key_is_refused_as_fast_as_an_unknown_one() -> None:
    """Their medians are within 50 µs."""
    unknown = mint(b"u" * 32)
    medians = [median(taken(credential) for _ in range(2_000)) for credential in (unknown, BLOCKED, EXPIRED)]
    assert max(medians) - min(medians) < 50_000
