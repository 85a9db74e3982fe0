"""Rests a deployment that keeps failing, and lets one probe through when the rest is over."""

from __future__ import annotations

from math import inf

from farthing.domain.errors import UpstreamError
from farthing.ports import Clock

FAILURES_TO_OPEN = 5
"""Failures in a row after which a deployment rests, unless it has answered within `ALIVE_S`."""
ALIVE_S = 1.0
"""Of many requests that fail by chance, half of them say, so many in a row come soon: that is no reason to ask none."""
REST_S = 5.0
LONGEST_REST_S = 60.0
REQUESTS_PER_RETRY = 10
RETRY_BURST = 10


class Breaker:
    """State of one deployment: closed, open until a moment, or half open with one probe under way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._answered_at = -inf
        self._rest_s = REST_S
        self._open_until = 0.0
        self._wished_until = 0.0
        self._is_probing = False

    @property
    def is_wished(self) -> bool:
        """Whether the vendor itself has asked to be left alone for now."""
        return self._clock.monotonic() < self._wished_until

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""
        if self._open_until == 0.0:
            return "closed"
        return "open" if self._clock.monotonic() < self._open_until else "half-open"

    @property
    def rests_for(self) -> float:
        """Seconds until a probe is let through; 0 where requests may pass."""
        return max(0.0, self._open_until - self._clock.monotonic())

    def admits(self) -> bool:
        """Whether a request may pass now; in the half-open state only the one that becomes the probe."""
        if self._open_until == 0.0:
            return True
        if self._is_probing or self._clock.monotonic() < self._open_until:
            return False
        self._is_probing = True
        return True

    def succeeded(self) -> None:
        """An answer came: back to normal."""
        self._failures = 0
        self._answered_at = self._clock.monotonic()
        self._rest_s = REST_S
        self._open_until = 0.0
        self._is_probing = False

    def abandoned(self) -> None:
        """The request ended without telling anything about the deployment: another one may probe."""
        self._is_probing = False

    def failed(self, error: UpstreamError) -> None:
        """Counts a failure; a vendor's own wish for a pause is taken at its word, up to a minute, and is none.

        What fails while it rests anyway, because it was sent before or for want of anybody else, tells nothing new.
        """
        was_probe, self._is_probing = self._is_probing, False
        if not error.trips:
            self.succeeded()
            return
        if (wish := error.retry_after or 0.0) > 0:
            self._open(min(wish, LONGEST_REST_S))
            self._wished_until = self._open_until
        elif was_probe or self.state == "closed":
            self._failures += 1
            if was_probe or self._is_dead:
                self._open(self._rest_s)
                self._rest_s = min(self._rest_s * 2, LONGEST_REST_S)

    @property
    def _is_dead(self) -> bool:
        return self._failures >= FAILURES_TO_OPEN and self._clock.monotonic() - self._answered_at >= ALIVE_S

    def _open(self, seconds: float) -> None:
        self._open_until = max(self._open_until, self._clock.monotonic() + seconds)


class Breakers:
    """One breaker for each deployment, made when first asked for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._breakers: dict[tuple[str, str], Breaker] = {}

    def of(self, provider: str, upstream: str) -> Breaker:
        """The breaker of a provider's model."""
        breaker = self._breakers.get((provider, upstream))
        if breaker is None:
            breaker = self._breakers[provider, upstream] = Breaker(self._clock)
        return breaker


class RetryBudget:
    """Allows repeats to the same deployment up to a tenth of the traffic, so that retries never pile up."""

    def __init__(self) -> None:
        self._earned = RETRY_BURST * REQUESTS_PER_RETRY

    def request(self) -> None:
        """A first try was made."""
        if self._earned < RETRY_BURST * REQUESTS_PER_RETRY:
            self._earned += 1

    def take(self) -> bool:
        """Whether one repeat may be made now."""
        if self._earned < REQUESTS_PER_RETRY:
            return False
        self._earned -= REQUESTS_PER_RETRY
        return True
