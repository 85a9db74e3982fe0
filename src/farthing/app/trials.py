"""The experiments that requests meet: followed in the database change by change, and kept while it is away."""

from __future__ import annotations

from farthing.domain.errors import Unavailable
from farthing.gateway.trials import Trial, Trials
from farthing.store.experiments import Experiments


class FollowedTrials:
    """Reads what has changed since it last looked."""

    def __init__(self, source: Experiments) -> None:
        self.trials = Trials(is_known=False)
        """Swapped whole."""
        self._source = source
        self._known: dict[str, Trial] = {}
        self._number: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether the database has told."""
        return self._number is not None

    async def refresh(self) -> bool:
        """Whether anything is different now for requests. While the database is away the last ones stay.

        To be called by one at a time: of two, the one that read first may end last, and would bring back what the other
        saw ended.
        """
        try:
            changes = await self._source.changes(self._number)
        except Unavailable:
            return False
        if changes is None:
            return False
        found = {each.id: Trial.of(each) for each in changes.experiments}
        self._known = found if changes.has_all else {**self._known, **found}
        self._number = changes.number
        self.trials = Trials(self._known.values())
        return True
