"""A request that was understood."""

from __future__ import annotations

from msgspec import Struct, field

from farthing.dialects import upstream_for
from farthing.dialects.base import UpstreamDialect
from farthing.dialects.reading import Reading
from farthing.domain.catalogue import Model
from farthing.domain.chat import ChatRequest
from farthing.domain.keys import Ceiling
from farthing.domain.routing.plan import Plan
from farthing.domain.routing.rules import Rule
from farthing.gateway.call import Call
from farthing.gateway.recording import Draft
from farthing.gateway.snapshot import Snapshot
from farthing.ports import Provider


class Order(Struct, frozen=True, kw_only=True):
    """A request, decoded and validated, under the snapshot it came in with."""

    call: Call
    reading: Reading
    chat: ChatRequest
    snapshot: Snapshot
    draft: Draft
    rule: Rule | None = None
    """The route rule that covers it."""
    plans: dict[tuple[str | None, bool], tuple[Plan, bool]] = field(default_factory=dict)
    """Those made so far, each with whether money made it a cheaper one; by the arm's name, None outside experiments,
    and whether a budget nears its end."""

    @property
    def ceiling(self) -> Ceiling | None:
        """The least that the caller, its key and its tenant's plan let this request cost."""
        asked, given = self.call.directives.max_cost, self.draft.caller.ceiling
        if asked is None or (given is not None and given.limit <= asked):
            return given
        return Ceiling(asked, "x-farthing-max-cost-usd")

    def provider(self, model: Model) -> Provider:
        """Where this caller's tenant reaches the model."""
        return self.snapshot.provider(model.provider, self.draft.caller.tenant)

    def upstream(self, provider: Provider) -> UpstreamDialect:
        """What to speak to this provider. Raises `InvalidRequest` where it has no such thing."""
        return upstream_for(self.call.dialect.name, provider.dialect, has_responses=provider.has_responses)
