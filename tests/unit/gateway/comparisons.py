"""A gateway whose answers are compared, over fakes."""

from __future__ import annotations

import json
from asyncio import sleep
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from farthing.domain.errands import errand_budgets
from farthing.domain.errors import NotFound, Unavailable
from farthing.domain.keys import Errand
from farthing.gateway.comparing import Comparing
from farthing.gateway.errand import Errands
from farthing.gateway.lessons import Lessons
from farthing.gateway.shadows import Shadows
from farthing.ports import Source, UpstreamRequest, Verdict
from farthing.ports.learning import Pair
from farthing.providers.fake import Behaviour, answer
from tests.unit.gateway.rig import Rig, completion

PLENTY: dict[Errand, int] = {"shadow": 10**9, "judge": 10**9}
VERDICT = '{"first": 4, "second": 2}'


class ListOfPairs:
    """Comparisons and ratings in lists, which are away when told to be."""

    def __init__(self) -> None:
        self.kept: list[Pair] = []
        self.rated: list[tuple[str, float, str | None, str | None, str]] = []
        self.is_away = False
        self.forgotten: set[str] = set()
        """Requests that are in no ledger any more."""

    async def keep(self, pair: Pair) -> None:
        """Keeps it."""
        if self.is_away:
            raise Unavailable("away")
        self.kept.append(pair)

    async def pairs(self, rule: str, baseline: str, *, since_us: int, limit: int) -> Sequence[Pair]:
        """All that is kept."""
        return self.kept

    async def vote(self, *_: Any, **__: Any) -> Verdict:
        """Nobody votes here."""
        raise NotImplementedError

    async def rate(
        self,
        request_id: str,
        grade: float,
        *,
        tenant: str | None,
        principal: str | None,
        details: Mapping[Literal["is_correct", "is_helpful", "comment"], Any] | None = None,
        source: Source = "explicit",
    ) -> Verdict:
        """Keeps the rating, if there is such a request."""
        if request_id in self.forgotten:
            raise NotFound("gone")
        self.rated.append((request_id, grade, tenant, principal, source))
        return Verdict(1.0, 1)


class Compared(Rig):
    """A rig whose requests are all drawn: `judge` says which text is better, every other model answers alike."""

    def __init__(
        self,
        verdicts: Sequence[str] | Callable[[str, str], str] = (VERDICT, VERDICT),
        *,
        limits: dict[Errand, int] = PLENTY,
        chance: float = 0.0,
        **snapshot: Any,
    ) -> None:
        self.verdicts = verdicts if callable(verdicts) else self._in_turn(list(verdicts))
        self.asked: list[tuple[str, Any]] = []
        """Model and messages of every call upstream."""
        self.answers: dict[str, Behaviour] = {}
        facts = {"keep_prompts": True, "shadow_share": 0.5, "judge": "middle", **snapshot}
        super().__init__(self._answer, **facts)
        self.pairs = ListOfPairs()
        self.shadows = Shadows(lambda: chance)
        self.lessons = Lessons()
        self.flushed = 0
        self.pipeline = type(self.pipeline)(
            **{name: getattr(self.pipeline, name) for name in self.pipeline.__struct_fields__}
            | {"shadows": self.shadows, "lessons": self.lessons}
        )
        self.errands = Errands(recorder=self.recorder, dispatch=self.pipeline.dispatch, new_id=self._new_id)
        self.comparing = Comparing(
            snapshots=self.snapshots,
            shadows=self.shadows,
            errands=self.errands,
            lessons=self.lessons,
            comparisons=self.pairs,
            feedback=self.pairs,
            flush=self._flush,
        )
        budgets = [*errand_budgets(limits)]
        self.ledger.load(budgets, {}, today={}, at_us=self.clock.now_us())

    async def compare(self) -> None:
        """Compares what is drawn until nothing is under way any more, and writes it down."""
        async with self.supervisor:
            self.supervisor.keep(self.comparing.work, "comparing answers")
            await self.settle()
        await self.comparing.keep()

    async def settle(self) -> None:
        """Lets everything that can go on do so; nothing here takes time."""
        for _ in range(200):
            await sleep(0)

    async def _flush(self) -> None:
        self.flushed += 1

    def _new_id(self) -> str:
        return f"errand-{len(self.asked)}"

    def _answer(self, request: UpstreamRequest) -> Behaviour:
        body = json.loads(request.body)
        model, messages = body["model"], body["messages"]
        self.asked.append((model, messages))
        if model in self.answers:
            return self.answers[model]
        if model != "middle":
            return answer(completion(f"By {model}.", model=model))
        shown = json.loads(messages[-1]["content"])
        return answer(completion(self.verdicts(shown["first answer"], shown["second answer"]), model=model))

    def _in_turn(self, verdicts: list[str]) -> Callable[[str, str], str]:
        return lambda *_: verdicts.pop(0)
