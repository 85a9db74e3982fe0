"""Where the figures of `farthing top` come from: a gateway's live socket says when to ask anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from farthing.cli.client import Denied, Gateway
from farthing.cli.terminal import CommandError
from farthing.cli.top.figures import figures_of

if TYPE_CHECKING:
    from farthing.cli.top.figures import Answer, Figures

LIVE = "/metrics/live"
LOOK_S = 2.0
"""Between two looks at the gateway at least, however much is asked there."""
SOON_S, LATEST_S = 0.5, 5.0
"""Between two attempts to be told, the first and the last ones."""
FORECAST_S = 60.0
"""Between two questions for the forecast."""
ROWS = "100"
"""Requests that are looked at."""
TRIALS = "20"


class Socket(Protocol):
    """What is needed of a WebSocket."""

    def recv(self, timeout: float | None = None) -> str | bytes:
        """The next message. Raises `TimeoutError`, and `WebSocketException` where there is none to come."""

    def close(self) -> None:
        """Ends it."""


class Questions:
    """Asks a gateway for all that is shown."""

    def __init__(self, gateway: Gateway, *, now: Callable[[], float] = time.monotonic) -> None:
        """`now` counts seconds."""
        self._gateway = gateway
        self._now = now
        self._sees_budgets = True
        self._forecast: Answer = {"forecast": None, "interval": None}
        self._foretold = -FORECAST_S

    def figures(self) -> Figures:
        """What is so now, by the gateway's own clock. Raises `CommandError`."""
        get = self._gateway.get
        metrics = get("/routing/metrics")
        now = datetime.fromisoformat(metrics["generated_at"])
        month = {"from": now.strftime("%Y-%m-01")}
        day_ago, hour_ago = (_moment(now - timedelta(hours=hours)) for hours in (24, 1))
        return figures_of(
            {
                "metrics": metrics,
                "savings": get("/v1/savings", month),
                "teams": get("/v1/usage", {"group_by": "team", **month}),
                "forecast": self._ahead(),
                "hours": get("/v1/usage", {"group_by": "hour", "from": day_ago}),
                "models": get("/v1/usage", {"group_by": "model", "from": hour_ago}),
                "providers": get("/v1/providers"),
                "experiments": get("/experiments", {"limit": TRIALS}),
                "requests": get("/v1/requests", {"limit": ROWS}),
                "budgets": self._budgets(),
            }
        )

    def _ahead(self) -> Answer:
        """It takes longest, and is another only tomorrow."""
        if self._now() >= self._foretold + FORECAST_S:
            self._forecast, self._foretold = self._gateway.get("/v1/forecast"), self._now()
        return self._forecast

    def _budgets(self) -> Answer:
        """Not everybody may see them."""
        if self._sees_budgets:
            try:
                return self._gateway.get("/admin/budgets", {"limit": ROWS})
            except Denied:
                self._sees_budgets = False
        return {"data": []}


class Line:
    """The live socket, which comes back by itself."""

    def __init__(
        self,
        connect: Callable[[], Socket],
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`connect` opens the socket; `now` and `sleep` count seconds."""
        self._connect = connect
        self._now = now
        self._sleep = sleep
        self._socket: Socket | None = None
        self._wait_s = SOON_S
        self._due = now()

    @property
    def is_open(self) -> bool:
        """Whether changes are told."""
        return self._socket is not None

    def heard(self, patience_s: float) -> bool:
        """Whether there may be news, after at most so many seconds. Each failed attempt to be told counts as such."""
        from websockets.exceptions import WebSocketException

        if self._socket is None and self._now() < self._due:
            self._sleep(patience_s)
            return False
        try:
            if self._socket is None:
                self._socket = self._connect()
            self._socket.recv(timeout=patience_s)
        except TimeoutError:
            if self._socket is not None:
                return False
            self._lost()
        except (OSError, WebSocketException):
            self._lost()
        else:
            self._wait_s = SOON_S
        return True

    def close(self) -> None:
        """Ends it."""
        if self._socket is not None:
            self._socket.close()

    def _lost(self) -> None:
        self._socket = None
        self._due = self._now() + self._wait_s
        self._wait_s = min(2 * self._wait_s, LATEST_S)


class Watch:
    """Looks at a gateway whenever something may have changed."""

    def __init__(self, questions: Questions, line: Line, *, now: Callable[[], float] = time.monotonic) -> None:
        """Looks for the first time. Raises `CommandError`."""
        self.figures = questions.figures()
        """The last known."""
        self.trouble: str | None = None
        """Why they are not newer."""
        self.line = line
        self._questions = questions
        self._now = now
        self._is_news = False
        self._due = now() + LOOK_S

    def turn(self, patience_s: float) -> bool:
        """Waits for at most so many seconds; whether it has looked since."""
        self._is_news |= self.line.heard(patience_s)
        if not self._is_news or self._now() < self._due:
            return False
        self._is_news = False
        try:
            self.figures = self._questions.figures()
            self.trouble = None
        except CommandError as error:
            self.trouble = str(error)
        self._due = self._now() + LOOK_S
        return True


def _moment(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
