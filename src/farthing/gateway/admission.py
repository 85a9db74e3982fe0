"""Who may come in: the key that was presented, looked up in the snapshot."""

from __future__ import annotations

from farthing.dialects.strict import shown
from farthing.domain.errors import Forbidden, NotFound, Unauthenticated, Unavailable
from farthing.domain.keys import LOCAL_CALLER, Caller
from farthing.domain.permissions import ASKING
from farthing.domain.secrets import PREFIX, digest, is_well_formed
from farthing.gateway.snapshot import Snapshot

UNKNOWN_KEY = (
    "This API key is not known. Check it for typing errors, or ask whoever runs this gateway for a new one "
    "(`farthing keys create`)."
)


def admit(snapshot: Snapshot, credential: str | None, now_us: int) -> Caller:
    """The caller behind a credential.

    Raises `Unauthenticated` with the same words for every wrong key, and `Unavailable` where the key table could not
    be read yet, so that a key that may be valid is never called wrong.
    """
    key = snapshot.keys.get(digest(credential)) if credential is not None else None
    if key is None:
        return _without_key(snapshot, credential)
    if key.is_blocked:
        raise Unauthenticated(UNKNOWN_KEY)
    if key.expires_at_us is not None and key.expires_at_us <= now_us:
        raise Unauthenticated("This API key has expired. Ask for a new one.", code="key_expired")
    return key.caller


def expires_at_us(snapshot: Snapshot, credential: str | None) -> int | None:
    """When whoever was admitted with this credential no longer is, in µs since 1970; None for never."""
    key = snapshot.keys.get(digest(credential)) if credential is not None else None
    return key.expires_at_us if key is not None else None


def _without_key(snapshot: Snapshot, credential: str | None) -> Caller:
    if snapshot.is_open:
        return LOCAL_CALLER
    if credential is not None and credential.startswith(PREFIX) and not is_well_formed(credential):
        # A typing error is one, whether the key store is in reach or not.
        raise Unauthenticated(UNKNOWN_KEY)
    if not snapshot.keys_known:
        raise Unavailable(
            "Keys cannot be checked at the moment because the key store is out of reach. Try again shortly.",
            code="auth_unavailable",
            retry_after=2,
        )
    if credential is None:
        raise Unauthenticated(
            "No API key was sent. Send one as `Authorization: Bearer …`, `x-api-key` or `x-goog-api-key`.",
            code="missing_api_key",
        )
    raise Unauthenticated(UNKNOWN_KEY)


def check_model(caller: Caller, model: str) -> None:
    """Raises the same `NotFound` for a model outside the key's list as for one that does not exist.

    Raises `Forbidden` for an auditor, who reads and spends nothing, for a role that this release does not know, and for
    a tenant on a plan that the settings do not name.
    """
    if caller.role not in ASKING:
        if caller.role == "auditor":
            raise Forbidden("An auditor's key reads figures and asks no models. Use another key.")
        raise Forbidden("This key's role is not known here and so asks no models. Use another key.")
    if caller.unknown_plan is not None:
        raise Forbidden(
            f"This key's tenant is on the plan {shown(caller.unknown_plan)}, which the gateway's settings do not name, "
            "so that it is not known what it may spend. Whoever runs the gateway names it as [plans.NAME] in "
            "farthing.toml, or puts the tenant on another plan (`farthing tenants set`).",
            code="unknown_plan",
        )
    if not caller.may_use(model):
        raise model_not_found(model)


def model_not_found(model: str) -> NotFound:
    """What callers are told of a model that is not there for them."""
    return NotFound(
        f"There is no model {shown(model)} here for this key. `GET /v1/models` lists them; `auto` chooses.",
        code="model_not_found",
        param="model",
    )
