"""Recordings for the replay's tests: three made up ones, and the real ones where they are at hand."""

import os
from collections.abc import Iterator, Sequence

import pytest

from benchmarks.replay.recordings import CHEAP, FILE, STRONG, Answer, Recording, load
from benchmarks.replay.upstream import ReplayUpstream
from tests.servers.application import Served


def recording(number: int, *, strong: float, cheap: float) -> Recording:
    """A prompt of four times `number` characters; the strong model answers with 40, the cheap one with 20."""
    answers = {STRONG: Answer(strong, "Strong é\n" * 4 + "more"), CHEAP: Answer(cheap, "cheap" * 4)}
    return Recording(str(number), "what" * number, answers)


@pytest.fixture
def made_up() -> Sequence[Recording]:
    """Only the strong model is right, both are, none is."""
    return [recording(1, strong=1, cheap=0), recording(2, strong=1, cheap=1), recording(3, strong=0, cheap=0)]


@pytest.fixture(scope="session")
def real() -> Sequence[Recording]:
    """All real recordings; CI must have them."""
    if not FILE.exists() and not os.environ.get("CI"):
        pytest.skip(f"the recordings ../{FILE.relative_to(FILE.parents[3])} are not at hand")
    return load()


Upstream = tuple[ReplayUpstream, str]


@pytest.fixture
def upstream(made_up: Sequence[Recording]) -> Iterator[Upstream]:
    """The replay's provider before the made up recordings, and its address."""
    replayed = ReplayUpstream(made_up)
    with Served(replayed.application) as served:
        yield replayed, served.url
