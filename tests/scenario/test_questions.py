"""The simulated users' questions."""

import random

from benchmarks.scenario import questions


def asked(seed: int) -> list[str]:
    """A hundred of each kind."""
    dice = random.Random(seed)
    return [ask(dice) for ask in (questions.short, questions.medium, questions.design) for _ in range(100)]


def test_the_same_seed_asks_the_same() -> None:
    """Two runs are alike; another seed asks otherwise."""
    assert asked(1) == asked(1)
    assert asked(1) != asked(2)


def test_about_half_of_the_short_questions_are_common() -> None:
    """So that the answer cache has something to do, and the models too."""
    dice = random.Random(1)
    common = sum(questions.short(dice) in questions.COMMON for _ in range(1000))
    assert 450 < common < 550


def test_long_tasks_differ_from_one_another() -> None:
    """Of code and design tasks hardly two are the same: they are bought, not remembered."""
    assert len(set(asked(1)[100:])) > 190
