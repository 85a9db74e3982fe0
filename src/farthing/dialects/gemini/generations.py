"""What differs between generations of Gemini models.

Facts from Google's pages on thinking and thought signatures, November 2026.
"""

from __future__ import annotations

import re
from typing import Any

from farthing.domain.chat import Effort

LEVELS = (3, 0)
"""First version whose thinking has levels instead of a budget, and whose tool calls must bear a signature."""
BUDGETS = (2, 5)
"""First version that thinks."""
_NEWEST = (99, 0)

_NUMBERS = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
_LEVELS: dict[Effort, str] = {
    "none": "low",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
}
"""`low` is the least that every model with levels takes."""
_BUDGETS: dict[Effort, int] = {
    "none": 0,
    "minimal": 512,
    "low": 1_024,
    "medium": 8_192,
    "high": 24_576,
    "xhigh": 24_576,
}
_PRO_MINIMUM = 128
_MAXIMUM = 24_576


def version(model: str) -> tuple[int, int]:
    """The version in a model's name: (0, 0) for another family, the newest for an alias without a number."""
    found = _NUMBERS.search(model)
    if found is not None:
        return int(found[1]), int(found[2] or 0)
    return _NEWEST if "gemini" in model else (0, 0)


def thinking(model: str, effort: Effort | None, budget: int | None) -> dict[str, Any] | None:
    """The `thinkingConfig` for what the caller asked, None to leave it to the model."""
    if (effort is None and budget is None) or version(model) < BUDGETS:
        return None
    shown = {} if effort == "none" else {"includeThoughts": True}
    if version(model) >= LEVELS:
        return {"thinkingLevel": _level(effort, budget), **shown}
    tokens = _BUDGETS[effort or "none"] if budget is None else budget
    least = _PRO_MINIMUM if "pro" in model else 0
    return {"thinkingBudget": min(max(tokens, least), _MAXIMUM), **shown}


def _level(effort: Effort | None, budget: int | None) -> str:
    if effort is not None:
        return _LEVELS[effort]
    return next((_LEVELS[name] for name, tokens in _BUDGETS.items() if (budget or 0) <= tokens), "high")
