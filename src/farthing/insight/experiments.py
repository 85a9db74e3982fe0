"""Experiments off the request path: what their results say by now, and the one moment at which each is decided."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from farthing.domain.alerts import Notice, moment_text
from farthing.domain.errors import Unavailable
from farthing.domain.experiments.data import Data
from farthing.domain.experiments.definition import Doubt, Experiment
from farthing.domain.experiments.results import Results
from farthing.domain.experiments.verdict import Code, Verdict
from farthing.ports import Clock
from farthing.ports.answers import SharedValues
from farthing.ports.experiments import Aftermath, Due, Experiments, Kept, Spread

if TYPE_CHECKING:
    from farthing.domain.experiments.plan import Aim, Planned

KEPT_S = 300
"""Seconds for which other workers find what one has worked out."""
MOST_KNOWN = 256
"""Experiments whose results are kept in process."""
TRIES = 5
"""Of a decision while ratings come in between; the next look tries again."""
REST = 20.0
"""Between two looks at a running experiment pass at least so many times the seconds that the last one took."""
RECENT_US = 3_600_000_000
"""A verdict of this age is announced by a worker that starts, should the one that decided have died before it did."""
TURN_S = 30.0
"""Seconds after which another worker looks, should the one whose turn it is have died."""
VERDICT = "experiment.verdict"
AT_FIRST: Code = "collecting"
"""What nobody needs to be told of an experiment that has begun."""
AT_EASE = Verdict(code=AT_FIRST, reason="What spoke against it does so no more: results are being collected.")


def analysed(experiment: Experiment, data: Data) -> Results:
    """What these data say, worked out on the processor."""
    # In the thread: what it takes to analyse is loaded by those gateways alone that have an experiment.
    from farthing.domain.experiments.analysis import analyse

    return analyse(experiment, data)


def _regretted(experiment: Experiment, aftermath: Aftermath) -> str | None:
    from farthing.domain.experiments.aftermath import regretted

    return regretted(experiment, aftermath)


def _planned(spread: Spread, aim: Aim) -> Planned | None:
    from farthing.domain.experiments import plan

    known = plan.Spread(
        users=spread.users,
        requests=spread.requests,
        mean=spread.mean,
        variance=spread.variance,
        requests_a_day=spread.requests_a_day,
    )
    return plan.planned(known, aim)


class Analyses:
    """What is known of experiments, worked out in a thread and once for all who ask."""

    def __init__(
        self,
        *,
        store: Experiments,
        shared: SharedValues | None,
        announce: Callable[[Notice], Awaitable[None]],
        tell: Callable[[str, Mapping[str, Any]], None],
        clock: Clock,
        analyse: Callable[[Experiment, Data], Results] = analysed,
    ) -> None:
        """`announce` keeps a notice for all channels, once; `tell` sends an event to who watches a tenant's figures.

        `analyse` is called in a thread.
        """
        self._store = store
        self._shared = shared
        self._announce = announce
        self._tell = tell
        self._clock = clock
        self._analyse = analyse
        self._known: OrderedDict[str, tuple[str, Results]] = OrderedDict()
        # One at a time: an analysis may take a tenth of a second of CPU, and requests come first.
        self._turn = asyncio.Lock()
        self._standing: dict[str, tuple[Code, int]] = {}
        """The code that was told last, and for a doubt the number of results that it rests on."""
        self._followed: frozenset[str] = frozenset()
        self._is_following = False
        self._has_running = True
        self._has_promoted = True
        self._unannounced: dict[tuple[str, str], Notice] = {}
        """By experiment and kind: of several the last one stands."""
        self._watched: dict[str, Aftermath] = {}
        self._rolled_back: set[str] = set()

    async def told(self, tenant: str | None, experiment_id: str) -> tuple[Kept, Results]:
        """The experiment and what its results say, with the chart; what is due to be decided is decided by this.

        Raises `NotFound`, and `Unavailable` while the database is away.
        """
        kept = await self._store.get(tenant, experiment_id)
        results = await self._found(kept)
        if results is None:
            async with self._turn:
                # Whoever had the turn before may have worked it out.
                results = await self._found(kept)
                if results is None:
                    kept, results = await self._worked_out(tenant, experiment_id, moves=True)
        return kept, results

    async def planned(self, spread: Spread, aim: Aim) -> Planned | None:
        """How many results find what is aimed at, at costs that vary so; None where too little is known of them."""
        return await asyncio.to_thread(_planned, spread, aim)

    async def look(self) -> None:
        """One round over running experiments with new results, and over promoted winners with new requests.

        Winners and harm are found though nobody asks.
        """
        try:
            if self._has_promoted:
                await self._watch(await self._store.watched())
            for due in await self._store.pending() if self._has_running else ():
                # One that is too large to be read in time keeps nobody else's from being decided.
                with suppress(Unavailable):
                    await self._look_at(due)
            for about, notice in tuple(self._unannounced.items()):
                await self._announce(notice)
                if self._unannounced.get(about) is notice:
                    del self._unannounced[about]
        except Unavailable:
            return

    def follow(self, experiments: Iterable[Experiment]) -> None:
        """Hears how all experiments stand, whichever worker has decided; one that is not named is forgotten."""
        named = {experiment.id: experiment for experiment in experiments}
        for experiment in named.values():
            self._heed(experiment)
            self._heed_return(experiment)
        self._is_following = True
        self._has_running = any(experiment.status == "running" for experiment in named.values())
        self._has_promoted = any(experiment.promoted is not None for experiment in named.values())
        for gone in self._followed - named.keys():
            self._standing.pop(gone, None)
            self._rolled_back.discard(gone)
        self._followed = frozenset(named)

    async def _look_at(self, due: Due) -> None:
        """Does so where it is this worker's turn; nobody's is the next before some rest, but for the last result."""
        if not await self._store.claim(due, seconds=TURN_S):
            return
        began = self._clock.monotonic()
        try:
            async with self._turn:
                kept, _ = await self._worked_out(None, due.experiment_id, moves=False)
        except Unavailable:
            await self._rest(due, began, is_done=False)
            raise
        if kept.experiment.status == "running":
            await self._rest(due, began, is_done=True)

    async def _rest(self, due: Due, began: float, *, is_done: bool) -> None:
        rest_s = 0.0 if due.is_full else REST * (self._clock.monotonic() - began)
        await self._store.looked(due, is_done=is_done, rest_s=rest_s)

    async def _watch(self, promoted: Iterable[Kept]) -> None:
        """Gives control back to users of a winner that has become worse."""
        counts = {kept.experiment.id: (kept.experiment, kept.aftermath or {}) for kept in promoted}
        self._watched = {name: known for name, known in self._watched.items() if name in counts}
        for name, (experiment, aftermath) in counts.items():
            if self._watched.get(name) == aftermath:
                continue
            reason = await asyncio.to_thread(_regretted, experiment, aftermath)
            at_us = self._clock.now_us()
            if reason and await self._store.roll_back(name, at_us=at_us, reason=reason):
                self._heed_return(replace(experiment, rolled_back_us=at_us, rolled_back_for=reason))
            self._watched[name] = aftermath

    async def _found(self, kept: Kept) -> Results | None:
        """What was made of these very results, by this worker or another."""
        version, results = self._known.get(kept.experiment.id, ("", None))
        if version == _version(kept):
            return results
        raw = await self._shared.get(_name(kept)) if self._shared is not None else None
        try:
            results = None if raw is None else msgspec.json.decode(raw, type=Results)
        except (msgspec.MsgspecError, RecursionError):
            return None
        if results is not None:
            self._keep(kept, results)
        return results

    async def _worked_out(self, tenant: str | None, experiment_id: str, *, moves: bool) -> tuple[Kept, Results]:
        """Analyses the results as they are now, and decides if that is due."""
        for _ in range(TRIES):
            kept, data = await self._store.data(tenant, experiment_id, moves=moves)
            results = await asyncio.to_thread(self._analyse, kept.experiment, data)
            is_due = kept.experiment.status == "running" and results.verdict.is_final
            if not is_due:
                kept = await self._doubted(kept, results.verdict)
                self._heed(kept.experiment)
                if moves:
                    self._keep(kept, results)
                    await self._share(kept, results)
                return kept, results
            await self._store.decide(kept, results.verdict, at_us=self._clock.now_us())
        raise Unavailable("This experiment is being rated faster than it can be decided. Try again.", retry_after=1)

    def _keep(self, kept: Kept, results: Results) -> None:
        self._known[kept.experiment.id] = (_version(kept), results)
        self._known.move_to_end(kept.experiment.id)
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    async def _share(self, kept: Kept, results: Results) -> None:
        if self._shared is not None:
            await self._shared.put(_name(kept), msgspec.json.encode(results), KEPT_S)

    async def _doubted(self, kept: Kept, verdict: Verdict) -> Kept:
        """Keeps for all workers what speaks against a running experiment now, where that is another than before."""
        experiment = kept.experiment
        before = AT_FIRST if experiment.doubt is None else experiment.doubt.verdict.code
        if experiment.status != "running" or verdict.code == before:
            return kept
        doubt = None if verdict.code == AT_FIRST else Doubt(kept.tally.n, verdict)
        revision = await self._store.doubt(kept, doubt)
        if revision is None:
            # Whoever was first is heard of soon.
            return kept
        return replace(kept, experiment=replace(experiment, doubt=doubt), revision=revision)

    def _heed(self, experiment: Experiment) -> None:
        """Tells of a verdict, or of a doubt, that is another than before; of what was stopped by hand nothing."""
        doubt, verdict = experiment.doubt, experiment.verdict
        if verdict is None:
            verdict = AT_EASE if doubt is None else doubt.verdict
        standing = verdict.code, 0 if doubt is None else doubt.n
        before = self._standing.get(experiment.id, (AT_FIRST, 0))
        self._standing[experiment.id] = standing
        if experiment.status == "cancelled":
            self._unannounced.pop((experiment.id, VERDICT), None)
            return
        if standing == before:
            return
        is_news = verdict.code != AT_FIRST
        if not is_news:
            self._unannounced.pop((experiment.id, VERDICT), None)
        notice = _notice(experiment, verdict, self._clock.now_us())
        self._report(experiment, notice, is_announced=is_news and not self._is_old(experiment.completed_us))

    def _heed_return(self, experiment: Experiment) -> None:
        """Tells that a promoted winner gave way, once."""
        at_us = experiment.rolled_back_us
        if at_us is None or experiment.id in self._rolled_back:
            return
        self._rolled_back.add(experiment.id)
        self._report(experiment, _returned(experiment, at_us), is_announced=not self._is_old(at_us))

    def _report(self, experiment: Experiment, notice: Notice, *, is_announced: bool) -> None:
        """To who watches the tenant's figures, and, if so, at the next look to all channels."""
        if is_announced:
            self._unannounced[experiment.id, notice.kind] = notice
        if self._is_following:
            self._tell(experiment.tenant, {"type": notice.kind, **notice.data})

    def _is_old(self, at_us: int | None) -> bool:
        """Whether a worker that starts need not announce what happened then."""
        return not self._is_following and at_us is not None and at_us < self._clock.now_us() - RECENT_US


def _version(kept: Kept) -> str:
    """Of everything that results are worked out from."""
    return f"{kept.revision}-{kept.tally.version}"


def _name(kept: Kept) -> str:
    return f"experiment:{kept.experiment.id}:{_version(kept)}"


def _notice(experiment: Experiment, verdict: Verdict, now_us: int) -> Notice:
    """The same id on whichever worker notices, so that each verdict, and each doubt, is announced once."""
    doubt = "" if experiment.doubt is None else f":{experiment.doubt.n}"
    return Notice(
        event_id=f"experiment:{experiment.id}:{verdict.code}{doubt}",
        kind=VERDICT,
        text=f"Experiment {experiment.name}: {verdict.reason}",
        occurred_at_us=now_us,
        data={
            "experiment_id": experiment.id,
            "tenant": experiment.tenant,
            "name": experiment.name,
            "status": experiment.status,
            "code": verdict.code,
            "significant": verdict.significant,
            "winner": verdict.winner,
            "reason": verdict.reason,
            "caveats": list(verdict.caveats),
            "at": moment_text(now_us),
        },
    )


def _returned(experiment: Experiment, at_us: int) -> Notice:
    winner = experiment.verdict.winner if experiment.verdict is not None else None
    return Notice(
        event_id=f"experiment:{experiment.id}:rolled_back",
        kind="experiment.rolled_back",
        text=f"Experiment {experiment.name}: {winner} is the default no more, since {experiment.rolled_back_for}.",
        occurred_at_us=at_us,
        data={
            "experiment_id": experiment.id,
            "tenant": experiment.tenant,
            "name": experiment.name,
            "winner": winner,
            "reason": experiment.rolled_back_for,
            "at": moment_text(at_us),
        },
    )
