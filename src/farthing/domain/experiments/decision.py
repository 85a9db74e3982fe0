"""The verdict, by rules that were fixed before the first result."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from farthing.domain.experiments import wording
from farthing.domain.experiments.evidence import Contest, Evidence, rule_of
from farthing.domain.experiments.results import Metric
from farthing.domain.experiments.verdict import Code, Verdict
from farthing.domain.stats.means import FEWEST_USERS

MOST_CROSSED = 0.02
"""From this share of users in more than one arm on nothing may be concluded."""
CROSSED = 0.005
"""From this share on it is told."""
WAITING: Code = "collecting"
STOPPING: frozenset[Code] = frozenset({"winner", "trade_off"})
"""What an early look may end with; whatever else it finds, more results may yet clear."""


def decide(evidence: Evidence) -> Verdict:
    """The verdict on all that is known, with its caveats."""
    experiment = evidence.experiment
    verdict = _standing(evidence)
    verdict = replace(verdict, caveats=tuple(_caveats(evidence, verdict)))
    if experiment.status != "cancelled":
        return verdict
    reason = wording.ended(evidence.n, experiment.sample_size)
    ended = _as(verdict, "inconclusive", reason=reason) if verdict.code == WAITING else verdict
    return replace(ended, is_final=True)


def _standing(evidence: Evidence) -> Verdict:
    """Checks that end everything first, then the difference in cost."""
    experiment = evidence.experiment
    rule = rule_of(experiment)
    waiting = Verdict(
        code=WAITING,
        reason=wording.collecting(evidence.n, experiment.sample_size, may_stop=experiment.early_stop),
        alpha_used=rule.level,
    )
    is_full = evidence.n >= experiment.sample_size
    if (alarm := _alarm(evidence, waiting, is_full=is_full)) is not None:
        return alarm
    if is_full:
        passed = [one for one in evidence.contests if one.p <= waiting.alpha_used]
        return replace(_judged(evidence, passed, waiting), is_final=True)
    stopping = [
        one
        for one in evidence.contests
        if one.effect is not None and rule.stops(one.effect, one.fraction, users=one.users)
    ]
    early = _judged(evidence, stopping, waiting)
    return replace(early, is_final=True, rule="early") if early.code in STOPPING else waiting


def _as(verdict: Verdict, code: Code, *, reason: str, **more: bool | str) -> Verdict:
    """The verdict under another code."""
    return replace(verdict, code=code, reason=reason, **more)


def _alarm(evidence: Evidence, waiting: Verdict, *, is_full: bool) -> Verdict | None:
    """What stands before any comparison: arms without users, users in wrong shares or arms, and harm.

    Wrong shares may mend themselves while results still come in, so they end nothing before the plan is full.
    """
    lonely = [arm for arm, users in evidence.users.items() if users < FEWEST_USERS]
    if lonely and not is_full:
        return waiting
    harmful = next((one for one in evidence.contests if one.is_harmful), None)
    invalid = _invalid(evidence)
    if invalid is not None:
        is_final = is_full or harmful is not None
        rule = waiting.rule if harmful is None else "harm"
        return _as(waiting, "invalid", reason=invalid, is_final=is_final, rule=rule)
    if lonely:
        return _as(waiting, "inconclusive", reason=wording.lonely(lonely), is_final=True)
    if harmful is not None:
        reason = wording.harmed(next(one for one in harmful.guardrails if one.name == "errors"))
        return _as(waiting, "stopped_harm", reason=reason, about=harmful.cost.arm, is_final=True, rule="harm")
    return None


def _invalid(evidence: Evidence) -> str | None:
    """Why nothing may be concluded at all."""
    empty = [arm for arm, users in evidence.users.items() if not users]
    if empty:
        return wording.empty(empty)
    if evidence.ratio.blocked:
        return wording.uneven(list(evidence.assigned.items()))
    return wording.crossed(evidence.crossed) if evidence.crossed > MOST_CROSSED else None


def _judged(evidence: Evidence, passed: Sequence[Contest], waiting: Verdict) -> Verdict:
    """What follows from the arms whose cost differs from control's."""
    cheaper = sorted((one for one in passed if (one.cost.diff or 0.0) < 0), key=lambda one: one.cost.diff or 0.0)
    if cheaper:
        return _best(evidence, cheaper, waiting)
    if len(passed) == len(evidence.contests):
        return _control(evidence, passed, waiting)
    reason = wording.indifferent([one.cost for one in evidence.contests])
    return _as(waiting, "no_difference", reason=reason)


def _best(evidence: Evidence, cheaper: Sequence[Contest], waiting: Verdict) -> Verdict:
    """The cheapest arm that nothing speaks against; where there is none, what speaks against the cheapest."""
    verdicts = [_cleared(evidence, one, waiting) for one in cheaper]
    return next((one for one in verdicts if one.code == "winner"), verdicts[0])


def _cleared(evidence: Evidence, one: Contest, waiting: Verdict) -> Verdict:
    """Whether one arm that is cheaper than control wins."""
    found, experiment = replace(waiting, significant=True, about=one.cost.arm), evidence.experiment
    if _is_negligible(evidence, one):
        return _as(found, "negligible", reason=wording.negligible(one.cost, experiment.min_effect))
    if failed := _of(one.guardrails, "fail"):
        return _as(found, "trade_off", reason=wording.traded(one.cost, failed))
    unclear = _of(one.guardrails, "unclear")
    if unclear and experiment.policy == "strict":
        return _as(found, "inconclusive", reason=wording.unproven(one.cost, unclear))
    if one.flips:
        return _as(found, "outlier_driven", reason=wording.outliers(one.cost))
    return _as(found, "winner", reason=wording.won(one.cost), winner=one.cost.arm)


def _control(evidence: Evidence, passed: Sequence[Contest], waiting: Verdict) -> Verdict:
    """Every arm costs more than control. To stay with control harms nobody, so that no guardrail is asked."""
    found, experiment = replace(waiting, significant=True), evidence.experiment
    small = next((one for one in passed if _is_negligible(evidence, one)), None)
    if small is not None:
        reason = wording.negligible(small.cost, experiment.min_effect)
        return _as(found, "negligible", reason=reason, about=small.cost.arm)
    flipped = next((one for one in passed if one.flips), None)
    if flipped is not None:
        return _as(found, "outlier_driven", reason=wording.outliers(flipped.cost), about=flipped.cost.arm)
    reason = wording.kept([one.cost for one in passed])
    return _as(found, "winner", reason=reason, winner=experiment.control.name)


def _is_negligible(evidence: Evidence, one: Contest) -> bool:
    """Where control is free there is no relative difference, and the absolute one counts whatever it is."""
    return one.cost.rel is not None and abs(one.cost.rel) < evidence.experiment.min_effect


def _of(guardrails: Sequence[Metric], standing: str) -> list[Metric]:
    return [metric for metric in guardrails if metric.standing == standing]


def _caveats(evidence: Evidence, verdict: Verdict) -> list[str]:
    """What should be known beside the verdict."""
    told = [wording.EARLY] if verdict.rule == "early" else []
    for one in evidence.contests:
        for standing, text in (("unclear", "Not shown to be as good"), ("unmeasured", "Not measured")):
            if found := _of(one.guardrails, standing):
                told.append(f"{text} for {one.cost.arm}: {wording.names(found)}.")
        if one.is_rated_unevenly:
            told.append(wording.rated_unevenly(one.cost.arm))
    if evidence.crossed > CROSSED:
        told.append(wording.crossed_some(evidence.crossed))
    told += [wording.lost(arm, count) for arm, count in evidence.dropped.items() if count]
    return told
