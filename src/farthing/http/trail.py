"""Who changed what: one line in the log for each change that needs more than any key."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from msgspec import MsgspecError, Struct, json
from msgspec.structs import asdict

from farthing.http.policy import NEEDED, Policy, caller_of

logger = logging.getLogger("farthing.changes")

_READING = frozenset({"GET", "HEAD"})


class _Target(Struct):
    """What an answer says it is about. Its other fields, such as a new secret, are not even decoded."""

    id: str | None = None
    key_id: str | None = None
    person_id: str | None = None
    budget_id: str | None = None
    experiment_id: str | None = None
    tenant: str | None = None
    team: str | None = None
    provider: str | None = None


def is_told(policy: Policy, method: str) -> bool:
    """Whether requests of this method, to routes of this policy, are told when they have gone well."""
    return policy in NEEDED and method not in _READING


def tell(request: Request, response: Response) -> None:
    """Writes the line: who, as what, did what to what, and the names of the fields that were sent, never a value."""
    caller = caller_of(request)
    facts = {
        "request_id": request.state.request_id,
        "by": caller.key_id,
        "role": caller.role,
        "by_tenant": caller.tenant,
        "action": request.scope["endpoint"].__name__,
        **target_of(request.path_params, response.body),
        "fields": sorted({*getattr(request.state, "fields", ()), *request.query_params}),
    }
    logger.info("change", extra={"facts": facts})


def target_of(path: Mapping[str, Any], body: bytes | memoryview) -> dict[str, Any]:
    """What a request was about: the ids in its address, and those that its answer tells."""
    try:
        answer = json.decode(body, type=_Target)
    except MsgspecError:
        answer = _Target()
    return {**{name: value for name, value in asdict(answer).items() if value is not None}, **path}
