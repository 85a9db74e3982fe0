"""Route rules with what the tests of their promises have found: followed in the database, kept while it is away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from farthing.domain.errors import Unavailable
from farthing.domain.routing.rules import Rule
from farthing.insight.learning.promising import standing
from farthing.ports.learning import PromiseTest
from farthing.store.learning.promises import Promises


class FollowedPromises:
    """Reads tests when there are new ones, where anything is promised at all."""

    def __init__(self, source: Promises) -> None:
        self._source = source
        self._tests: Mapping[str, PromiseTest] = {}
        self._number: int | None = None

    async def refresh(self, rules: Sequence[Rule]) -> bool:
        """Whether anything is different now for requests under these rules."""
        if all(rule.promise is None for rule in rules):
            return False
        try:
            number = await self._source.number()
            if number == self._number:
                return False
            self._tests = await self._source.tests()
        except Unavailable:
            return False
        self._number = number
        return True

    def rules(self, rules: Sequence[Rule], baseline: str | None) -> tuple[Rule, ...]:
        """These rules with the margins that are in force against this baseline."""
        return tuple(self._tested(rule, baseline) for rule in rules)

    def _tested(self, rule: Rule, baseline: str | None) -> Rule:
        test = standing(self._tests.get(rule.name), rule.promise, baseline)
        return rule if test is None else replace(rule, margin=test.margin, challengers=test.challengers)
