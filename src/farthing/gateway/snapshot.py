"""Everything a request reads, in one immutable value that is swapped whole and refreshed off the path."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from farthing.domain.budget import DAY_US
from farthing.domain.catalogue import Catalogue
from farthing.domain.keys import Key
from farthing.domain.plans import TenantPlan
from farthing.domain.routing.pace import Pace
from farthing.domain.routing.plan import Strategy
from farthing.domain.routing.rules import Rule
from farthing.domain.routing.weighing import Weights
from farthing.gateway.call import Call
from farthing.gateway.trials import Trials
from farthing.ports import Provider
from farthing.ports.embedding import Embedder

NO_TRIALS = Trials()


class Snapshot(Struct, frozen=True, kw_only=True):
    """One consistent view of configuration and tenancy."""

    catalogue: Catalogue
    providers: Mapping[str, Provider]
    brought: Mapping[tuple[str, str], Provider] = field(default_factory=dict)
    """Providers with the keys that tenants brought for them, by tenant and provider."""
    strategies: Mapping[str, Strategy]
    strategy: str
    """Name of the strategy behind `auto`."""
    embedder: Embedder | None = None
    """What prompts wait for before they are decided by what was learned; None where there is no need."""
    unused: str | None = None
    """Why what was learned cannot be used here; None where it can, or where nothing was."""
    rules: tuple[Rule, ...] = ()
    """What holds for some routes, the first that covers a request first."""
    exploration: float = 0.0
    """Share of the requests decided by what is learned that another model answers."""
    check_weights: Weights = Weights()
    """How much the checks of cheap answers count."""
    hold_back: float = 0.0
    """Share of the users' days, or requests of no user, that the baseline answers to measure what routing saves."""
    pace: Pace | None = None
    """How dear quality is, so that requests cost on average what they may; None where they may cost anything."""
    keys: Mapping[bytes, Key] = field(default_factory=dict)
    """By digest of the secret."""
    keys_known: bool = True
    """False until the key table has been read, and while it cannot be: an unknown key is then not yet a wrong one."""
    plans: Mapping[str, TenantPlan] = field(default_factory=dict)
    """The plans that tenants can be put on, by name."""
    is_open: bool = False
    """Bound to loopback with no key made: whoever reaches us may do everything."""
    cache_native: bool = True
    """Whether the native route caches answers when the request does not say."""
    cache_ttl_us: int = DAY_US
    refuse_unpriced: bool = False
    trials: Trials = NO_TRIALS
    keep_prompts: bool = False
    """Whether questions are kept to learn from."""
    shadow_share: float = 0.0
    """Share of the requests whose answer is compared with a second model's."""
    judge: str | None = None
    """The model that compares them."""

    def rule(self, call: Call, key_id: str | None) -> Rule | None:
        """The first that covers the request."""
        for rule in self.rules:
            if rule.scope.covers(call.route, key_id, call.directives.tags):
                return rule
        return None

    def provider(self, name: str, tenant: str) -> Provider:
        """The provider as this tenant reaches it."""
        return (self.brought.get((tenant, name)) if self.brought else None) or self.providers[name]


class Snapshots:
    """Holds the current snapshot."""

    def __init__(self, current: Snapshot) -> None:
        self.current = current

    def swap(self, snapshot: Snapshot) -> None:
        """Requests that start from now on see the new snapshot; those under way keep theirs."""
        self.current = snapshot
