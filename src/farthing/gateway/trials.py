"""Which arm of which experiment a request belongs to, and what becomes of it there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from farthing.dialects.strict import shown
from farthing.domain.catalogue import VIRTUAL_MODELS
from farthing.domain.errors import InvalidRequest, NotFound
from farthing.domain.experiments.assignment import Allocation, allocation, is_held_back
from farthing.domain.experiments.definition import Arm, Experiment
from farthing.domain.routing import STRATEGIES, strategy_for
from farthing.domain.routing.plan import Plan
from farthing.gateway.call import Call

BY_ARM = "experiment"
"""What is said to have chosen a model that an arm names and the caller did not."""
LEFT_OPEN = frozenset(name for name in VIRTUAL_MODELS if not strategy_for(name, ""))
"""The names that leave the strategy to the default."""
_text = msgspec.json.Encoder().encode


class Part(Struct, frozen=True):
    """A request's place in an experiment."""

    experiment: Experiment
    arm: Arm

    @property
    def name(self) -> str:
        """Of the arm, among all arms of all experiments."""
        return f"{self.experiment.id}\n{self.arm.name}"

    @property
    def rivals(self) -> tuple[Part, ...]:
        """The places that another user may have instead, and this one: what a request in it must be good for."""
        experiment = self.experiment
        promoted = experiment.promoted
        arms = experiment.arms if promoted is None else (experiment.control, promoted)
        return tuple(Part(experiment, arm) for arm in arms)

    @property
    def model(self) -> str | None:
        """The model that the arm names; None where its strategy chooses."""
        return None if self.arm.strategy in STRATEGIES else self.arm.strategy

    def led(self, plan: Plan, asked: str) -> Plan:
        """The plan for the arm's model, which the caller may have `asked` for anyway."""
        if asked == self.model:
            return plan
        reason = f"{self.model} is arm {self.arm.name} of the experiment {self.experiment.name}."
        return replace(plan, strategy=BY_ARM, reason=reason)


class Trial(Struct, frozen=True):
    """An experiment, and how it spreads users."""

    experiment: Experiment
    allocation: Allocation

    @classmethod
    def of(cls, experiment: Experiment) -> Trial:
        """With the ranges of its present phase worked out."""
        return cls(experiment, allocation(experiment))

    def part(self, unit: str) -> Part | None:
        """The place of this user; None who takes no part, as nobody does once it is cancelled.

        Once an arm was promoted everybody takes part in it, but for those held back in control's.
        """
        experiment = self.experiment
        if (promoted := experiment.promoted) is not None:
            return Part(experiment, experiment.control if is_held_back(experiment, unit) else promoted)
        if experiment.rolled_back_us is not None:
            return Part(experiment, experiment.control)
        if experiment.status == "cancelled" or (name := self.allocation.arm(unit)) is None:
            return None
        if experiment.verdict is not None and experiment.verdict.is_harmful:
            return Part(experiment, experiment.control)
        return Part(experiment, next(arm for arm in experiment.arms if arm.name == name))

    def covers(self, call: Call, key_id: str | None, model: str) -> bool:
        """Whether the request takes part without naming the experiment: it must leave the model to us, or to an arm.

        One without a scope covers, once its winner was promoted, what is left to the default strategy.
        """
        scope = self.experiment.scope
        if scope is None:
            return model in LEFT_OPEN and self.experiment.promoted is not None
        if not scope.covers(call.route, key_id, call.directives.tags):
            return False
        return model in VIRTUAL_MODELS or any(arm.strategy == model for arm in self.experiment.arms)


class Trials:
    """All experiments as requests meet them."""

    def __init__(self, trials: Iterable[Trial] = (), *, is_known: bool = True) -> None:
        """`is_known` says that the database has told: until then nobody is told that an experiment is not there."""
        self.is_known = is_known
        self._by_id = {trial.experiment.id: trial for trial in trials}
        unasked: dict[str, tuple[Trial, ...]] = {}
        for trial in sorted(filter(_is_unasked, self._by_id.values()), key=_precedence):
            tenant = trial.experiment.tenant
            unasked[tenant] = (*unasked.get(tenant, ()), trial)
        self.unasked: Mapping[str, tuple[Trial, ...]] = unasked
        """Experiments that requests need not name, by tenant, the first to be asked first; empty for most.

        Running ones with a scope, then promoted ones with a scope, then promoted ones that change the default; of
        promoted ones that which was completed last.
        """

    @property
    def experiments(self) -> list[Experiment]:
        """All of them, whatever their status."""
        return [trial.experiment for trial in self._by_id.values()]

    def named(self, experiment_id: str, *, tenant: str, user: str | None, param: str = "experiment_id") -> Part | None:
        """The place of a user in the experiment of this id, which the request gives in its field or header `param`.

        Raises `InvalidRequest` where no user is known, and `NotFound` for an experiment that is not this tenant's.
        """
        if not user:
            raise InvalidRequest(
                "An experiment needs to know the user: send `user_id` (or `user`, or the header x-farthing-user).",
                code="missing_required_parameter",
                param="user_id",
            )
        trial = self._by_id.get(experiment_id)
        if trial is not None and trial.experiment.tenant == tenant:
            return trial.part(user)
        if not self.is_known:
            return None
        raise NotFound(f"There is no experiment {shown(experiment_id)} here.", code="experiment_not_found", param=param)

    def covering(self, call: Call, model: str, *, tenant: str, key_id: str | None, user: str | None) -> Iterator[Part]:
        """The places of a request in experiments that cover it and take its user, or itself without one.

        The first comes first; a request has one place at most.
        """
        for trial in self.unasked.get(tenant, ()):
            if trial.covers(call, key_id, model) and (part := trial.part(user or call.request_id)):
                yield part


def _is_unasked(trial: Trial) -> bool:
    experiment = trial.experiment
    is_running = experiment.scope is not None and experiment.status == "running"
    return is_running or experiment.promoted is not None


def _precedence(trial: Trial) -> tuple[bool, bool, int]:
    experiment = trial.experiment
    return experiment.promoted is not None, experiment.scope is None, -(experiment.completed_us or 0)


def decision_of(plan: Plan | None, part: Part | None, tokens: int) -> str | None:
    """What the record tells of what was decided, as JSON: the plan, and the request's place in an experiment.

    `tokens` of the prompt are counted alike in every arm.
    """
    told: dict[str, Any] = {"candidates": plan.candidates, "metadata": plan.metadata} if plan else {}
    if part is not None:
        told["experiment"] = {"arm": part.arm.name, "phase": part.experiment.phase, "tokens": tokens}
    return _text(told).decode() if told else None
