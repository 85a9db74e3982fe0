"""A predictor that says what a test wants to be said."""

from collections.abc import Mapping

from farthing.domain.routing.learning.predictor import Forecast


class Told:
    """Foretells the same of every prompt: qualities, and what answers cost in US dollars where that is known."""

    def __init__(self, qualities: Mapping[str, float], costs: Mapping[str, float] | None = None) -> None:
        self._told = {name: Forecast(quality, (costs or {}).get(name, 0.0)) for name, quality in qualities.items()}
        self.asked: list[str] = []
        """What was foretold of."""

    @property
    def models(self) -> tuple[str, ...]:
        """Those it tells of."""
        return tuple(self._told)

    def predict(self, text: str) -> Mapping[str, Forecast]:
        """The same, whatever the text."""
        assert text
        self.asked.append(text)
        return self._told


def often(*names: str, times: int = 100) -> dict[str, int]:
    """So many rated answers of each."""
    return dict.fromkeys(names, times)
