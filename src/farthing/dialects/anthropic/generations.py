"""What differs between generations of Claude models, so that a translated request suits the one it goes to.

Facts from Anthropic's model pages and migration guides, November 2026. A body that passes through is left alone.
"""

from __future__ import annotations

import re

from msgspec import Struct

from farthing.domain.chat import Effort

REDACTED = "redacted:"
"""Marks a `Reasoning.signature` that is the data of a redacted_thinking block."""

_NUMBERS = re.compile(r"(?<![\d.])\d{1,2}(?:[.-]\d{1,2})?(?!\d)")

ADAPTIVE = (4, 6)
"""First version whose thinking follows an effort instead of a budget in tokens."""
FIXED_SAMPLING = (4, 7)
"""First version that refuses temperature, top_p and top_k."""
ONE_SAMPLER = (4, 1)
"""First version that refuses temperature and top_p in one request."""
SCHEMAS = (4, 5)
"""First version that can be held to a JSON schema."""
THINKS_UNASKED = (5, 0)
"""First version that thinks unless it is told not to."""
FREE_TOOLS = (5, 1)
"""First version that always thinks, and so refuses to be forced to call a tool."""
NEWEST = (99, 0)
"""What a name without a number, such as `claude-sonnet-latest`, stands for."""

MIN_BUDGET = 1_024
"""Tokens; smaller thinking budgets are refused."""
_BUDGETS: dict[Effort, int] = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 24_576}


class Generation(Struct, frozen=True):
    """The version of a Claude model, (0, 0) for another vendor's model behind the same API."""

    version: tuple[int, int]

    @classmethod
    def of(cls, model: str) -> Generation:
        """Reads `claude-opus-5-5`, `claude-3-7-sonnet-20250219`, `anthropic/claude-sonnet-4.5` and their like."""
        _, claude, name = model.lower().rpartition("claude")
        if not claude:
            return cls((0, 0))
        found = _NUMBERS.search(name)
        if found is None:
            return cls(NEWEST)
        major, _, minor = found[0].replace(".", "-").partition("-")
        return cls((int(major), int(minor or 0)))

    @property
    def max_tokens(self) -> int:
        """The limit to ask for where the caller named none; the dialect demands one, and these every model takes."""
        if self.version >= (4, 0):
            return 32_000
        return 4_096 if self.version > (0, 0) else 8_192

    @property
    def is_adaptive(self) -> bool:
        """Whether thinking follows an effort."""
        return self.version >= ADAPTIVE

    @property
    def takes_schemas(self) -> bool:
        """Whether the vendor enforces a JSON schema."""
        return self.version >= SCHEMAS

    @property
    def takes_forced_tools(self) -> bool:
        """Whether a request may demand that a tool is called."""
        return self.version < FREE_TOOLS

    @property
    def takes_sampling(self) -> bool:
        """Whether temperature, top_p and top_k may be sent."""
        return self.version < FIXED_SAMPLING

    @property
    def takes_two_samplers(self) -> bool:
        """Whether temperature and top_p may be sent together."""
        return self.version < ONE_SAMPLER

    def effort(self, effort: Effort | None, budget: int | None) -> str | None:
        """The vendor's word for how hard an adaptive model should work, None to leave it to the model."""
        if effort is None and budget is not None:
            effort = next((name for name, tokens in _BUDGETS.items() if budget <= tokens), "xhigh")
        if effort == "none":
            return "low" if self.version >= THINKS_UNASKED else None
        if effort == "minimal":
            return "low"
        if effort == "xhigh" and self.version == ADAPTIVE:
            return "high"
        return effort


def budget(effort: Effort | None, tokens: int | None) -> int:
    """Tokens of thinking for a model that takes a budget, 0 where none was asked for."""
    if tokens is not None:
        return max(tokens, MIN_BUDGET)
    return 0 if effort is None or effort == "none" else _BUDGETS[effort]
