"""What people ask for when they begin an experiment, made whole or refused."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from math import isfinite

from msgspec import UNSET, Struct, UnsetType, field
from msgspec.structs import replace

from farthing.domain.errors import Conflict, InvalidRequest
from farthing.domain.experiments.definition import Arm, Experiment, Margins, Namespace, Phase, Policy
from farthing.domain.scope import Scope

STRATEGIES = ("complexity", "learning", "hybrid")
LARGEST_SAMPLE = 1_000_000_000
FEWEST_ARMS = 2
MOST_ARMS = 10
LONGEST_NAME = 200
LONGEST_TEXT = 2_000
LONGEST_ARM = 64
HIGHEST_ALPHA = 0.2
LOWEST_ALPHA = 1e-6
ADDS_UP = 1e-6
"""How far shares may be from 1 altogether, since thirds cannot be written."""
SMALLEST_SHARE = 0.001


class ProposedArm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An arm as it is asked for."""

    name: str
    strategy: str
    share: float | None = None
    """None: as much as every other arm without one."""


class Proposal(Struct, frozen=True, kw_only=True):
    """The body of `POST /experiments`. Either two strategies are named, or `arms` with control first."""

    name: str
    sample_size: int | float | str | bool | UnsetType | None = UNSET
    description: str | None = None
    hypothesis: str | None = None
    control_strategy: str | None = None
    test_strategy: str | None = None
    arms: tuple[ProposedArm, ...] | None = None
    early_stop: bool = False
    planned_effect: float = 0.1
    min_effect: float = 0.0
    policy: Policy = "default"
    alpha: float = 0.05
    margins: Margins = field(default_factory=Margins)
    traffic: float = 1.0
    namespace: Namespace | None = None
    salt: str | None = None
    scope: Scope | None = None
    promote: bool = False


def define(proposal: Proposal, *, experiment_id: str, tenant: str, now_us: int, models: Container[str]) -> Experiment:
    """The experiment that is asked for, running from now on.

    `models` are the names that a strategy may be beside the three of our own. Raises `InvalidRequest` naming the field
    that is wrong and what to send instead.
    """
    _check_texts(proposal)
    arms = _arms(proposal, models)
    _check_numbers(proposal)
    _check_place(proposal)
    return Experiment(
        id=experiment_id,
        tenant=tenant,
        name=proposal.name,
        description=proposal.description or "",
        hypothesis=proposal.hypothesis or "",
        arms=arms,
        sample_size=_sample_size(proposal.sample_size, arms),
        early_stop=proposal.early_stop,
        planned_effect=proposal.planned_effect,
        min_effect=proposal.min_effect,
        policy=proposal.policy,
        alpha=proposal.alpha,
        margins=proposal.margins,
        traffic=proposal.traffic,
        namespace=proposal.namespace,
        salt=proposal.salt or experiment_id,
        phases=(Phase(tuple(arm.share for arm in arms), now_us),),
        scope=proposal.scope,
        promote=proposal.promote,
        created_us=now_us,
    )


def with_traffic(experiment: Experiment, traffic: float) -> Experiment:
    """The experiment with another share of users taking part. Nobody changes from one arm to another.

    Raises `InvalidRequest` for what is no share, and `Conflict` where the experiment has ended.
    """
    _check_running(experiment)
    _check_within("traffic", traffic, 0.0, 1.0)
    return replace(experiment, traffic=traffic)


def with_shares(experiment: Experiment, shares: Sequence[float], now_us: int) -> Experiment:
    """The experiment in a new phase with these shares: users are spread anew, and each phase is analysed by itself.

    Raises `InvalidRequest` for shares that do not fit the arms, and `Conflict` where the experiment has ended.
    """
    _check_running(experiment)
    if len(shares) != len(experiment.arms):
        raise _refused("shares", f"send one for each of the {len(experiment.arms)} arms, control's first")
    _check_shares("shares", shares)
    arms = tuple(replace(arm, share=share) for arm, share in zip(experiment.arms, shares, strict=True))
    return replace(experiment, arms=arms, phases=(*experiment.phases, Phase(tuple(shares), now_us)))


def _refused(param: str, remedy: str) -> InvalidRequest:
    return InvalidRequest(f"`{param}` is wrong: {remedy}.", code="invalid_experiment", param=param)


def _check_running(experiment: Experiment) -> None:
    if experiment.status != "running":
        raise Conflict(
            f"The experiment is {experiment.status}, so it cannot be changed: begin a new one.",
            code="experiment_ended",
        )


def _check_texts(proposal: Proposal) -> None:
    if not proposal.name.strip() or len(proposal.name) > LONGEST_NAME:
        raise _refused("name", f"send 1 to {LONGEST_NAME} characters")
    for param, text in (("description", proposal.description), ("hypothesis", proposal.hypothesis)):
        if text is not None and len(text) > LONGEST_TEXT:
            raise _refused(param, f"send at most {LONGEST_TEXT:,} characters")
    if proposal.salt is not None and not 1 <= len(proposal.salt) <= LONGEST_NAME:
        raise _refused("salt", f"send 1 to {LONGEST_NAME} characters, or leave it out")


def _arms(proposal: Proposal, models: Container[str]) -> tuple[Arm, ...]:
    if proposal.arms is not None and (proposal.control_strategy or proposal.test_strategy):
        raise _refused("arms", "send them or `control_strategy` and `test_strategy`, not both")
    arms = tuple(_named(proposal)) if proposal.arms is None else proposal.arms
    if not FEWEST_ARMS <= len(arms) <= MOST_ARMS:
        raise _refused("arms", f"send {FEWEST_ARMS} to {MOST_ARMS} of them, control first")
    if len({arm.name for arm in arms}) < len(arms):
        raise _refused("arms", "two of them have the same name, give each its own")
    for place, arm in enumerate(arms):
        where = f"arms.{place}" if proposal.arms is not None else ""
        if not arm.name.strip() or len(arm.name) > LONGEST_ARM:
            raise _refused(f"{where}.name", f"send 1 to {LONGEST_ARM} characters")
        if arm.strategy not in STRATEGIES and arm.strategy not in models:
            param = f"{where}.strategy" if where else f"{arm.name}_strategy"
            raise _refused(param, f"send {', '.join(STRATEGIES)} or the name of a model that GET /v1/models lists")
    shares = _shares(arms)
    _check_shares("arms", shares)
    return tuple(Arm(arm.name, arm.strategy, share) for arm, share in zip(arms, shares, strict=True))


def _named(proposal: Proposal) -> Iterator[ProposedArm]:
    """The two arms of a body that names two strategies."""
    for param, strategy in (
        ("control_strategy", proposal.control_strategy),
        ("test_strategy", proposal.test_strategy),
    ):
        if not strategy:
            raise _refused(param, f"send {', '.join(STRATEGIES)} or a model's name, or `arms` instead")
        yield ProposedArm(name=param.removesuffix("_strategy"), strategy=strategy)


def _shares(arms: Sequence[ProposedArm]) -> tuple[float, ...]:
    """Arms without a share part evenly what the others leave."""
    open_arms = sum(arm.share is None for arm in arms)
    left = 1.0 - sum(arm.share for arm in arms if arm.share is not None)
    return tuple(left / open_arms if arm.share is None else arm.share for arm in arms)


def _check_shares(param: str, shares: Sequence[float]) -> None:
    are_shares = all(isfinite(share) and SMALLEST_SHARE <= share < 1 for share in shares)
    if not are_shares or abs(sum(shares) - 1.0) > ADDS_UP:
        raise _refused(param, f"send shares that are each at least {SMALLEST_SHARE} and add up to 1")


def _sample_size(size: object, arms: Sequence[Arm]) -> int:
    """Whole, and for arms with equal shares the same whole number for each: the plan is held to the last result."""
    count = len(arms)
    is_whole = isinstance(size, int) and not isinstance(size, bool)
    if not is_whole or not isinstance(size, int) or not count <= size <= LARGEST_SAMPLE:
        remedy = f"send the planned number of results as a whole number, {count} to {LARGEST_SAMPLE:,}"
        raise _refused("sample_size", f"{remedy}; `farthing experiments plan` tells how many are needed")
    if size % count and len({arm.share for arm in arms}) == 1:
        below = size - size % count
        near = f"{below:,} or {below + count:,}" if below else f"{count}"
        raise _refused("sample_size", f"it cannot be shared evenly by {count} arms, send {near}")
    return size


def _check_numbers(proposal: Proposal) -> None:
    _check_within("alpha", proposal.alpha, LOWEST_ALPHA, HIGHEST_ALPHA)
    _check_within("planned_effect", proposal.planned_effect, 0.001, 10.0)
    _check_within("min_effect", proposal.min_effect, 0.0, 1.0)
    _check_within("traffic", proposal.traffic, 0.0, 1.0)
    _check_within("margins.quality", proposal.margins.quality, 0.0, 5.0)
    _check_within("margins.errors", proposal.margins.errors, 0.0, 1.0)
    _check_within("margins.latency", proposal.margins.latency, 0.0, 100.0)


def _check_within(param: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise _refused(param, f"send a number from {low:g} to {high:g}")


def _check_place(proposal: Proposal) -> None:
    namespace, scope = proposal.namespace, proposal.scope
    if namespace is not None:
        if not 1 <= len(namespace.name) <= LONGEST_NAME:
            raise _refused("namespace.name", f"send 1 to {LONGEST_NAME} characters")
        if not 0.0 <= namespace.start < namespace.end <= 1.0:
            raise _refused("namespace", "`start` and `end` must rise within 0 and 1")
    if scope is not None and not 1 <= len(scope.value) <= LONGEST_NAME:
        raise _refused("scope.value", f"send 1 to {LONGEST_NAME} characters")
