"""Tasks that outlive requests: restarted when they fail, finished when we stop. Time is virtual."""

import asyncio
import itertools
import logging
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from random import Random

import pytest

from farthing.background.supervisor import Supervisor


class _Leaping(selectors.SelectSelector):
    """Waits for nothing: where a loop would sleep, its clock moves on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which a day lasts a millisecond."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        """Virtual seconds."""
        return self._leaping.now


class NoDice(Random):
    """Always the middle."""

    def uniform(self, a: float, b: float) -> float:
        """Half-way between the two."""
        return (a + b) / 2


def run(scenario: Callable[[Supervisor], Awaitable[None]], dice: Random | None = None) -> None:
    """Lets a scenario play with a supervisor, which is stopped at its end."""

    async def play() -> None:
        async with Supervisor(grace_s=10.0, dice=dice or NoDice()) as supervisor:
            await scenario(supervisor)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(play())


def now() -> float:
    """Virtual seconds since the scenario began."""
    return round(asyncio.get_running_loop().time(), 3)


def job(moments: list[float], *, fails: int = 0) -> Callable[[], Coroutine[None, None, None]]:
    """A job that notes when it runs, and fails the first `fails` times."""

    async def note() -> None:
        moments.append(now())
        if len(moments) <= fails:
            raise ValueError("no luck")

    return note


def test_a_periodic_job_runs_at_once_and_then_each_period() -> None:
    """The first round does not wait."""
    moments: list[float] = []

    async def scenario(supervisor: Supervisor) -> None:
        supervisor.every(2.0, job(moments), "job")
        await asyncio.sleep(7.0)

    run(scenario)
    assert moments == [0.0, 2.0, 4.0, 6.0]


def test_rounds_are_moved_by_up_to_a_tenth() -> None:
    """Two workers started together drift apart."""
    moments: list[float] = []

    async def scenario(supervisor: Supervisor) -> None:
        supervisor.every(1.0, job(moments), "job")
        await asyncio.sleep(50.0)

    run(scenario, Random(5))
    gaps = [round(later - earlier, 3) for earlier, later in itertools.pairwise(moments)]
    assert 0.9 <= min(gaps) < 0.95
    assert 1.05 < max(gaps) <= 1.1


def test_a_failing_job_is_tried_again_ever_more_slowly(caplog: pytest.LogCaptureFixture) -> None:
    """The pause doubles, each failure is logged with its cause, and success brings the period back."""
    moments: list[float] = []

    async def scenario(supervisor: Supervisor) -> None:
        supervisor.every(0.1, job(moments, fails=4), "the job")
        await asyncio.sleep(1.9)

    run(scenario)
    assert moments == [0.0, 0.1, 0.3, 0.7, 1.5, 1.6, 1.7, 1.8]
    logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in logged] == ["the job failed and is tried again"] * 4
    assert logged[0].exc_info is not None


def test_the_pause_after_failures_is_bounded() -> None:
    """A job that fails for ever is still tried every half minute."""
    moments: list[float] = []

    async def scenario(supervisor: Supervisor) -> None:
        supervisor.every(1.0, job(moments, fails=1000), "job")
        await asyncio.sleep(3_000.0)

    run(scenario)
    assert moments[-1] - moments[-2] == pytest.approx(30.0)


def test_a_rare_job_is_not_repeated_sooner_because_it_failed() -> None:
    """The pause after a failure is at least the period."""
    moments: list[float] = []

    async def scenario(supervisor: Supervisor) -> None:
        supervisor.every(100.0, job(moments, fails=1), "job")
        await asyncio.sleep(250.0)

    run(scenario)
    assert moments == [0.0, 100.0, 200.0]


def test_a_kept_job_is_begun_anew_whether_it_ends_or_fails() -> None:
    """A listener whose connection breaks comes back, ever more slowly."""
    moments: list[float] = []

    async def scenario(supervisor: Supervisor) -> None:
        supervisor.keep(job(moments, fails=2), "listener")
        await asyncio.sleep(1.0)

    run(scenario)
    assert moments == [0.0, 0.1, 0.3, 0.7]


def test_a_kept_job_that_lasted_comes_back_at_once() -> None:
    """Failures long ago do not count."""
    moments: list[float] = []

    async def listen() -> None:
        moments.append(now())
        await asyncio.sleep(40.0)

    async def scenario(supervisor: Supervisor) -> None:
        supervisor.keep(listen, "listener")
        await asyncio.sleep(130.0)

    run(scenario)
    assert moments == [0.0, 40.1, 80.2, 120.3]


def test_stopping_lets_work_under_way_finish() -> None:
    """A round that has begun and a spawned task end by themselves, with what they spawn; no further round begins."""
    events: list[str] = []

    async def slow() -> None:
        events.append("begun")
        await asyncio.sleep(3.0)
        events.append("done")

    async def scenario(supervisor: Supervisor) -> None:
        async def parent() -> None:
            await asyncio.sleep(2.0)
            supervisor.spawn(slow(), "child")

        supervisor.every(1.0, slow, "round")
        supervisor.spawn(parent(), "parent")
        await asyncio.sleep(0.5)
        await supervisor.stop()
        assert now() == 5.0

    run(scenario)
    assert events == ["begun", "begun", "done", "done"]


def test_stopping_cancels_kept_jobs_at_once() -> None:
    """They would never end by themselves."""
    ends: list[float] = []

    async def listen() -> None:
        try:
            await asyncio.sleep(1_000.0)
        finally:
            ends.append(now())

    async def scenario(supervisor: Supervisor) -> None:
        supervisor.keep(listen, "listener")
        await asyncio.sleep(1.0)
        await supervisor.stop()
        assert now() == 1.0

    run(scenario)
    assert ends == [1.0]


def test_what_outlasts_the_grace_is_cancelled_and_named(caplog: pytest.LogCaptureFixture) -> None:
    """The stop takes as long as the grace and no longer."""

    async def scenario(supervisor: Supervisor) -> None:
        task = supervisor.spawn(asyncio.sleep(1_000.0), "endless")
        await supervisor.stop(grace_s=2.0)
        assert task.cancelled()
        assert now() == 2.0

    run(scenario)
    assert caplog.messages == ["endless did not end in time and was cancelled"]


def test_a_spawned_task_gives_its_result_and_its_failure_to_whoever_awaits_it() -> None:
    """One failing task leaves the others alone."""

    async def fail() -> None:
        raise ValueError("no luck")

    async def scenario(supervisor: Supervisor) -> None:
        failing, good = supervisor.spawn(fail(), "bad"), supervisor.spawn(asyncio.sleep(1.0, "fine"), "good")
        with pytest.raises(ValueError, match="no luck"):
            await failing
        assert await good == "fine"

    run(scenario)
