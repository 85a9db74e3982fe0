"""Everything the routes need, introduced to them by `app`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from farthing.domain.budget import Budget
from farthing.domain.credentials import Bond
from farthing.domain.secrecy import Secret
from farthing.gateway.breaker import Breakers
from farthing.gateway.snapshot import Snapshots
from farthing.http.hub import Hub
from farthing.http.stores import BudgetStore, CredentialStore, KeyStore, TenancyStore
from farthing.insight.experiments import Analyses
from farthing.insight.invoicing import Record
from farthing.insight.learning.promising import Promising
from farthing.insight.learning.retraining import Retraining
from farthing.ports import Clock, Feedback, Queries, SignOn, Stretch, Tracked
from farthing.ports.experiments import Experiments
from farthing.ports.learning import Grades
from farthing.ports.replay import Replay
from farthing.ports.reports import Reporting

if TYPE_CHECKING:
    from fastapi.requests import HTTPConnection, Request


class Services(Struct, frozen=True, kw_only=True):
    """The parts behind the routes that are not hot."""

    snapshots: Snapshots
    clock: Clock
    breakers: Breakers
    queries: Queries
    feedback: Feedback
    keys: KeyStore
    tenancy: TenancyStore
    terms: Record
    """What tenants pay since when."""
    budgets: BudgetStore
    spent: Callable[[Iterable[Budget], int], Awaitable[Mapping[str, int]]]
    """Nano-dollars by budget id, in the windows that are open at a moment in µs since 1970."""
    credentials: CredentialStore
    seal: Callable[[Secret[str], Bond], bytes] | None
    """What a provider's key is kept as, good for this bond alone; None where no key for it is configured."""
    new_secret: Callable[[], str]
    """A fresh secret of a virtual key."""
    new_id: Callable[[], str]
    """A fresh id."""
    refresh: Callable[[], Awaitable[None]]
    """Brings what was changed in the database to this worker's requests now; the others follow within a second."""
    may_serve: Callable[[], bool]
    """Whether to send callers to this worker, which may know none of their keys yet."""
    forget: Callable[[str], Awaitable[None]]
    """Takes a kept answer out of service for good."""
    experiments: Experiments
    analyses: Analyses
    """What experiments' results say."""
    learning: Retraining
    grades: Grades
    promising: Promising
    """What is promised of routes."""
    metrics: Callable[[str | None], Awaitable[Mapping[str, Any]]]
    """`GET /routing/metrics` for a tenant, or for everybody."""
    live: Hub
    """Those who watch the live figures."""
    flush: Callable[[], Awaitable[object]]
    """Brings what is in the journal into the database now."""
    reprice: Callable[[Stretch, bool], Awaitable[dict[str, Any]]]
    """Prices requests of a stretch whose price was not known, or with True only tells what would be done."""
    replay: Replay
    """What another policy would have done."""
    reporting: Reporting
    """Writes what a month came to."""
    deliveries: Callable[[str | None, int], Awaitable[Sequence[Tracked]]]
    """How the last so many (`limit`) reports that were sent by themselves stand, the newest first."""
    health: Callable[[], Awaitable[dict[str, Any]]]
    metrics_text: Callable[[], bytes]
    version: str
    find_sign_on: Callable[[], SignOn | None]
    """The way in for people as the settings have it now."""

    @property
    def sign_on(self) -> SignOn | None:
        """None where people have no way in but a key."""
        return self.find_sign_on()


def services_of(connection: Request | HTTPConnection) -> Services:
    """The services of the application that serves this connection."""
    services: Services = connection.app.state.services
    return services
