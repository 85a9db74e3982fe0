"""A predictor that says what a test wants to be said."""

from collections.abc import Mapping

from farthing.domain.routing.learning.predictor import Forecast, Outlook


class Told:
    """Foretells the same of every prompt: qualities, and what answers cost in US dollars where that is known."""

    def __init__(
        self, qualities: Mapping[str, float], costs: Mapping[str, float] | None = None, near: float = 100
    ) -> None:
        self._told = {name: Forecast(quality, (costs or {}).get(name, 0.0)) for name, quality in qualities.items()}
        self._near = near
        self.nearer: dict[str, float] = {}
        """Of the models that more or fewer rated answers speak for than for the others."""
        self.asked: list[str] = []
        """What was foretold of."""

    @property
    def models(self) -> tuple[str, ...]:
        """Those it tells of."""
        return tuple(self._told)

    def outlook(self, text: str) -> Outlook:
        """The same, whatever the text."""
        assert text
        self.asked.append(text)
        return Outlook(self._told, dict.fromkeys(self._told, self._near) | self.nearer)


def often(*names: str, times: int = 100) -> dict[str, int]:
    """So many rated answers of each."""
    return dict.fromkeys(names, times)
