"""What is learned is tested on answers that it has not seen, against what is in force."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from farthing.embeddings.fake import FakeModel
from farthing.insight.learning import holdout
from farthing.insight.learning.holdout import trained
from farthing.insight.learning.labels import Outcome
from farthing.insight.learning.packing import unpacked
from farthing.ports.learning import Rated, Trained

NEW_US = 1_000


def rated(count: int = 40, *, at_us: int = 0, kinds: Sequence[str] = ("sum", "poem")) -> list[Rated]:
    """Answers of two models, of which the small one fails at sums."""
    found = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        prompt = (
            f"Add {number} and {number * 7}." if kind == "sum" else f"Write a poem about the sea and shore {number}."
        )
        found.append(Rated(prompt, "small", float(kind == "poem"), 0.001, at_us))
        found.append(Rated(prompt, "large", 1.0, None, at_us))
    return found


def train(answers: Sequence[Rated], active: Trained | None = None, since_us: int = NEW_US) -> Trained:
    """Without anybody who listens."""
    payload = None if active is None else active.payload
    return trained(answers, active=payload, since_us=since_us, tell=lambda *_: None)


def test_a_first_training_is_compared_with_the_mean() -> None:
    """By part in turn, where answers are few; the figures say what each model is worth."""
    found = train(rated())
    summary = found.summary
    assert found.is_better
    assert (summary["labels"], summary["prompts"], summary["held_out"]) == (80, 40, 80)
    assert summary["error_before"] == pytest.approx(0.433, abs=0.02)
    assert summary["error_after"] < 0.25
    assert summary["compared_with"] == "mean"
    assert {model: (figures["labels"], figures["quality"]) for model, figures in summary["models"].items()} == {
        "small": (40, 0.5),
        "large": (40, 1.0),
    }
    assert summary["reason"].startswith("The error is lower: ")
    predictor = unpacked(found.payload)
    assert predictor.predict("Add 3 and 4.")["small"].quality < 0.4 < predictor.predict("Write a poem")["small"].quality


def test_of_many_prompts_a_fifth_is_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that learning takes twice the time of one training, not six times."""
    monkeypatch.setattr(holdout, "MANY_PROMPTS", 40)
    told: list[tuple[str, float]] = []
    found = trained(rated(), active=None, since_us=0, tell=lambda *what: told.append(what))
    assert 0 < found.summary["held_out"] < 40
    assert told == [("testing", 0.0), ("learning", 0.5)]


def test_the_newest_prompts_are_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as time and memory allow."""
    monkeypatch.setattr(holdout, "MOST_PROMPTS", 30)
    summary = train([*rated(40, kinds=["sum"]), *rated(30, kinds=["poem"])]).summary
    assert (summary["labels"], summary["prompts"]) == (60, 30)
    assert {model: figures["quality"] for model, figures in summary["models"].items()} == {"small": 1, "large": 1}


def test_noise_teaches_nothing() -> None:
    """What is no better than the mean is not taken over, and says so."""
    found = train([Rated(f"Question {number}?", "ab"[number % 2], number % 4 // 2, None, 0) for number in range(40)])
    assert not found.is_better
    assert found.summary["reason"].startswith("The error is not lower: ")


def test_what_is_in_force_is_compared_on_what_it_has_not_seen() -> None:
    """Ratings that are newer than it; those before do not count."""
    sums = train(rated(kinds=["sum"]))
    again = train([*rated(kinds=["sum"]), *rated(60, at_us=NEW_US)], sums)
    assert (again.is_better, again.summary["compared_with"], again.summary["held_out"]) == (True, "active", 120)
    assert again.summary["error_after"] < again.summary["error_before"]


def test_too_few_new_ratings_leave_what_is_in_force() -> None:
    """They tell nothing of which is better."""
    active = train(rated())
    found = train([*rated(), *rated(4, at_us=NEW_US, kinds=["poem"])], active)
    assert not found.is_better
    assert found.summary["reason"].startswith("Only 8 of the 20 ratings")


def test_a_model_that_is_new_was_expected_to_be_like_the_mean() -> None:
    """By what is in force."""
    active = train(rated())
    newcomers = [Rated(f"Add {number} and 1.", "new", 0.0, None, NEW_US) for number in range(30)]
    found = train([*rated(), *newcomers], active)
    assert found.is_better
    assert found.summary["models"]["new"]["error_before"] == pytest.approx(0.545, abs=0.02)
    assert found.summary["models"]["large"]["error_before"] is None


def test_what_cannot_be_read_decides_nothing() -> None:
    """A predictor of another release is as none."""
    found = trained(rated(), active=b"another release's", since_us=NEW_US, tell=lambda *_: None)
    assert (found.is_better, found.summary["compared_with"]) == (True, "mean")


def test_a_single_prompt_cannot_be_tested() -> None:
    """There is nothing to learn from without it."""
    found = train([Rated("Why?", model, 1.0, 0.001, 0) for model in ("a", "b") for _ in range(5)])
    assert not found.is_better
    assert (found.summary["held_out"], found.summary["error_after"]) == (0, None)
    assert found.summary["reason"].startswith("No answer was left to test on")


def test_questions_asked_again_teach_little_and_test_nothing() -> None:
    """Nobody is told that they were ratings; beside the same answer's rating they weigh a fifth of it."""
    marks = [Rated(f"Write a poem about tide {number}.", "small", 0.25, None, 0, "implicit") for number in range(9)]
    found, plain = train([*rated(), *marks]), train(rated())
    summary = found.summary
    assert (summary["labels"], summary["asked_again"], summary["held_out"]) == (80, 9, 80)
    assert summary["models"]["small"]["quality"] == 0.5
    poem = "Write a poem about tide 10."
    said = train([*rated(), *(replace(mark, source="explicit") for mark in marks)])
    qualities = [unpacked(each.payload).predict(poem)["small"].quality for each in (said, found, plain)]
    assert qualities == sorted(qualities)
    assert qualities[1] - qualities[0] > 0.02 < qualities[2] - qualities[1]


def test_guesses_teach_as_much_as_ratings_and_test_nothing() -> None:
    """Answers that passed a check are rated, those that did not are guessed: together they tell what to expect."""
    answers = [Rated(f"Write a poem about tide {number}.", "small", 1.0, None, 0) for number in range(80)]
    passed, others = answers[::2], answers[1::2]
    guesses = [replace(one, quality=0.0, is_guess=True) for one in others]
    found, flattered = train([*passed, *guesses]), train(passed)
    assert (found.summary["labels"], found.summary["guessed"], found.summary["held_out"]) == (40, 40, 40)
    assert found.summary["models"]["small"]["quality"] == 1.0
    poem = "Write a poem about wind."
    qualities = [unpacked(each.payload).predict(poem)["small"].quality for each in (found, flattered)]
    assert [round(quality, 1) for quality in qualities] == [0.5, 1.0]


def test_one_answer_that_was_rated_and_asked_again_is_weighed() -> None:
    """As the mean of both, the rating five times as heavy."""
    answers = [Rated("Why?", "small", 1.0, 0.001, 0), Rated("Why?", "small", 0.25, 0.003, 0, "implicit")]
    row = holdout._labelled("Why?", answers)
    assert row.outcomes["small"] == Outcome(pytest.approx(1.05 / 1.2), 0.002, weight=1.0)  # type: ignore[arg-type]


def test_with_embeddings_each_prompt_is_embedded_once() -> None:
    """Before the rest, which is then told as the second half; what is in force is compared if it can be read."""
    model, told = FakeModel(), list[tuple[str, float]]()
    found = trained(rated(), active=None, since_us=0, tell=lambda *what: told.append(what), embed=model)
    assert sorted(model.asked) == sorted({each.prompt for each in rated()})
    assert told[:3] == [("embedding", 0.0), ("testing", 0.5), ("testing", 0.5 + 1 / 12)]
    assert unpacked(found.payload).reads_embeddings
    newer = rated(at_us=NEW_US)
    again = trained(newer, active=found.payload, since_us=NEW_US, tell=lambda *_: None, embed=model)
    assert again.summary["compared_with"] == "active"
    assert train(newer, found).summary["compared_with"] == "mean"
