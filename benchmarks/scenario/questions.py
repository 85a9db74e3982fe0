"""What the simulated users ask, by kind; the same seed asks the same questions."""

from __future__ import annotations

import random

COMMON = (
    "What is Python?",
    "What is the capital of Portugal?",
    "Translate `good morning` into French.",
    "How many minutes are in a week?",
    "Define the word farthing.",
    "Which planet is the largest?",
    "What does HTTP status 418 mean?",
    "Who wrote Faust?",
)
"""Questions that many people ask in the same words: they are answered from the cache from the second time on."""
SHORT = ("What is the plural of word {number}?", "Say {number} in Roman numerals.", "Is {number} a prime number?")
MEDIUM = (
    "Write a Python function that merges {number} sorted lists into one sorted list, and test it with pytest.",
    (
        "This SQL query takes {number} seconds. Explain how to find out why, step by step:\n"
        "SELECT customer, sum(amount) FROM orders JOIN customers USING (customer) GROUP BY customer"
    ),
    (
        "Refactor this loop into a generator and explain the difference in memory for {number} rows:\n"
        "```python\nresult = []\nfor row in rows:\n    if row['paid']:\n        result.append(row['net'] * 1.19)\n```"
    ),
)
DESIGN = (
    (
        "Design a rate limiter for an API with {number} tenants on several hosts. Compare token bucket, sliding window "
        "and leaky bucket, explain the trade-offs of each step by step, describe what can fail, and prove it right."
    ),
    (
        "Design the schema and the partitioning of a ledger that takes {number} rows a second. Analyze consistency, "
        "recovery after a crash, and the cost of each index; explain why two alternatives are worse."
    ),
)

COMMON_SHARE = 0.5
MOST = 1_000_000


def short(dice: random.Random) -> str:
    """A short question; half of them are common."""
    return dice.choice(COMMON) if dice.random() < COMMON_SHARE else _numbered(SHORT, dice)


def medium(dice: random.Random) -> str:
    """Code, or a question that takes an explanation."""
    return _numbered(MEDIUM, dice)


def design(dice: random.Random) -> str:
    """A task that takes thought."""
    return _numbered(DESIGN, dice)


def _numbered(texts: tuple[str, ...], dice: random.Random) -> str:
    return dice.choice(texts).format(number=dice.randrange(2, MOST))
