"""What a training on rated answers has brought: its predictor, and its error on answers that it has not seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from farthing.domain.routing.learning.predictor import Predictor
from farthing.insight.learning.embedding import Remembered
from farthing.insight.learning.labels import FOLDS, WEIGHTS, Labelled, Outcome, believed, fold_of, id_of
from farthing.insight.learning.packing import packed, unpacked
from farthing.insight.learning.retraining import Tell
from farthing.insight.learning.training import fit
from farthing.ports.embedding import Embed
from farthing.ports.learning import Rated, Trained

MANY_PROMPTS = 2_000
"""From so many prompts on one fifth of them is held out; of fewer each fifth in its turn."""
MOST_PROMPTS = 30_000
"""Of more the newest are learned from: so many keep a processor busy for half a minute."""
_EMBEDDED_AT_ONCE = 200
"""Prompts, about a second's."""
FEWEST_TESTED = 20
"""Answers that must have been rated since the last training, for it cannot be tested on what it has seen."""


@dataclass(frozen=True)
class _Guess:
    """What was expected of an answer that was then rated."""

    rated: Rated
    after: float
    """By what is learned now from others."""
    mean: float
    """Of all answers that this was learned from."""


def trained(
    rated: Sequence[Rated], *, active: bytes | None, since_us: int, tell: Tell, embed: Embed | None = None
) -> Trained:
    """Learns from the answers, and compares with what is in force. Errors are roots of mean squares, in points of 0..1.

    `active` is the predictor in force, packed, or None, and `since_us` when its training began: it is compared on
    answers rated from then on. Without one that can be read the comparison is with the mean of all ratings. With
    `embed` what is learned reads embeddings.
    """
    known = _read(active, embeds=embed is not None)
    prompts = _by_prompt(believed(rated))
    for prompt in list(prompts)[:-MOST_PROMPTS]:
        del prompts[prompt]
    rated = [each for answers in prompts.values() for each in answers]
    models = tuple(sorted({each.model for each in rated}))
    if embed is not None:
        embed, tell = _embedded(list(prompts), embed, tell), _rest(tell)
    rounds = (0,) if len(prompts) >= MANY_PROMPTS else tuple(range(FOLDS))
    guesses: list[_Guess] = []
    for number, fold in enumerate(rounds):
        tell("testing", number / (len(rounds) + 1))
        guesses += _guesses(prompts, models, fold, embed)
    tell("learning", len(rounds) / (len(rounds) + 1))
    rows = [_labelled(prompt, answers) for prompt, answers in prompts.items()]
    payload = packed(fit(rows, models=models, embed=embed))
    tested = guesses if known is None else [guess for guess in guesses if guess.rated.rated_us >= since_us]
    before = _before(known, tested, embed)
    enough = known is None or len(tested) >= FEWEST_TESTED
    was, now = _error(tested, before), _error(tested, [guess.after for guess in tested])
    is_better = enough and was is not None and now is not None and now < was
    said = _said(rated)
    summary = {
        "labels": len(said),
        "asked_again": sum(each.source == "implicit" for each in rated),
        "guessed": sum(each.is_guess for each in rated),
        "prompts": len(prompts),
        "held_out": len(tested),
        "error_before": was,
        "error_after": now,
        "compared_with": "mean" if known is None else "active",
        "models": {model: _of_model(model, said, tested, before) for model in models},
        "size_bytes": len(payload),
    }
    return Trained(is_better, summary | {"reason": _reason(summary, is_better=is_better, enough=enough)}, payload)


def _embedded(prompts: Sequence[str], embed: Embed, tell: Tell) -> Embed:
    """What has embedded all prompts, once, in the first half of the training as it is told."""
    remembered = Remembered(embed)
    for start in range(0, len(prompts), _EMBEDDED_AT_ONCE):
        tell("embedding", start / len(prompts) / 2)
        remembered(prompts[start : start + _EMBEDDED_AT_ONCE])
    return remembered


def _rest(tell: Tell) -> Tell:
    return lambda phase, share: tell(phase, (1 + share) / 2)


def _guesses(
    prompts: Mapping[str, Sequence[Rated]], models: Sequence[str], fold: int, embed: Embed | None
) -> Iterator[_Guess]:
    """For the answers to the prompts of one part, which are learned from the others."""
    held = {prompt: answers for prompt, answers in prompts.items() if fold_of(id_of(prompt)) == fold}
    rest = [_labelled(prompt, answers) for prompt, answers in prompts.items() if prompt not in held]
    if not held or not rest:
        return
    known = [one for row in rest for one in row.outcomes.values()]
    mean = float(np.average([one.quality for one in known], weights=[one.weight for one in known]))
    predictor = fit(rest, models=models, embed=embed)
    quality, _ = predictor.predict_many(list(held), None if embed is None else embed(list(held)))
    for row, answers in enumerate(held.values()):
        for each in _said(answers):
            yield _Guess(each, float(quality[row, models.index(each.model)]), mean)


def _before(known: Predictor | None, tested: Sequence[_Guess], embed: Embed | None) -> list[float]:
    """What the predictor in force expected; of a model that it does not know, the mean."""
    if known is None or not tested:
        return [guess.mean for guess in tested]
    asked = [guess.rated.prompt for guess in tested]
    quality, _ = known.predict_many(asked, None if embed is None else embed(asked))
    places = {model: place for place, model in enumerate(known.models)}
    return [
        float(quality[row, places[guess.rated.model]]) if guess.rated.model in places else guess.mean
        for row, guess in enumerate(tested)
    ]


def _read(active: bytes | None, *, embeds: bool) -> Predictor | None:
    """None, too, for one of another release, or that reads what is not there: what nobody can read decides nothing."""
    try:
        found = None if active is None else unpacked(active)
    except ValueError:
        return None
    return None if found is None or (found.reads_embeddings and not embeds) else found


def _of_model(model: str, said: Sequence[Rated], tested: Sequence[_Guess], before: Sequence[float]) -> dict[str, Any]:
    its = [(guess, was) for guess, was in zip(tested, before, strict=True) if guess.rated.model == model]
    guesses = [guess for guess, _ in its]
    answers = [each.quality for each in said if each.model == model]
    return {
        "labels": len(answers),
        "quality": round(float(np.mean(answers)), 4),
        "held_out": len(its),
        "error_before": _error(guesses, [was for _, was in its]),
        "error_after": _error(guesses, [guess.after for guess in guesses]),
    }


def _error(tested: Sequence[_Guess], expected: Sequence[float]) -> float | None:
    """Root of the mean square; None without anything to test on."""
    if not tested:
        return None
    apart = np.array(expected) - np.array([guess.rated.quality for guess in tested])
    return round(float(np.sqrt((apart * apart).mean())), 6)


def _reason(summary: Mapping[str, Any], *, is_better: bool, enough: bool) -> str:
    held, before, after = summary["held_out"], summary["error_before"], summary["error_after"]
    if not enough:
        return (
            f"Only {held} of the {FEWEST_TESTED} ratings that a comparison needs are newer than what is in force: "
            "that stays."
        )
    if not held:
        return "No answer was left to test on: what is learned is taken over when more are rated."
    other = "the mean of all ratings" if summary["compared_with"] == "mean" else "what is in force"
    figures = f"{after:.3f} against {before:.3f} of {other}, on {held} ratings that were held out"
    return f"The error is {'lower' if is_better else 'not lower'}: {figures}."


def _said(rated: Sequence[Rated]) -> list[Rated]:
    """Without what was only told from a question that was asked again, or from a check: nothing is tested on that."""
    return [each for each in rated if each.source != "implicit" and not each.is_guess]


def _by_prompt(rated: Sequence[Rated]) -> dict[str, list[Rated]]:
    """Answers to the same prompt are learned from or tested on together."""
    found: dict[str, list[Rated]] = {}
    for each in rated:
        found.setdefault(each.prompt, []).append(each)
    return found


def _labelled(prompt: str, answers: Sequence[Rated]) -> Labelled:
    outcomes = {}
    for model in sorted({each.model for each in answers}):
        its = [each for each in answers if each.model == model]
        costs = [each.cost_usd for each in its if each.cost_usd is not None]
        weights = [WEIGHTS[each.source] for each in its]
        quality = float(np.average([each.quality for each in its], weights=weights))
        cost = float(np.mean(costs)) if costs else None
        outcomes[model] = Outcome(quality, cost, weight=min(1.0, sum(weights)))
    return Labelled(prompt, outcomes, id=id_of(prompt))
