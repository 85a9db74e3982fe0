"""Votes on kept answers and ratings of requests."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from farthing.domain.errors import Forbidden, InvalidRequest
from farthing.domain.permissions import may
from farthing.http.policy import caller_of, tenant_of
from farthing.http.services import Services, services_of

Comment = Annotated[str, Field(max_length=2000)]
CacheKey = Annotated[str, Field(pattern=r"^[^\x00]+$", max_length=128)]
REMOVED = "taken out of service"
"""The comment of a vote by which somebody in charge has ended an answer."""


def _number(value: object) -> object:
    """The value. Raises ValueError for `true`, which Python takes for 1."""
    if isinstance(value, bool):
        raise ValueError("expected a number")  # noqa: TRY004 (pydantic reads ValueError alone)
    return value


class FeedbackBody(BaseModel):
    """Either a vote on the kept answer `cache_key`, or a rating of the request `request_id`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    cache_key: CacheKey | None = None
    rating: Annotated[Literal[-1, 0, 1], BeforeValidator(_number)] | None = None
    request_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    quality_score: Annotated[Literal[1, 2, 3, 4, 5], BeforeValidator(_number)] | None = None
    is_correct: bool | None = None
    is_helpful: bool | None = None
    comment: Comment | None = None


async def give_feedback(request: Request, body: FeedbackBody) -> dict[str, Any]:
    """Takes a vote or a rating. From three votes on, an answer that most dislike is never served again."""
    services = services_of(request)
    if not may(caller_of(request).role, "ask"):
        raise Forbidden("An auditor's key reads figures and changes none. Use another key.")
    if body.cache_key is not None and body.request_id is None:
        return await _vote(request, services, body.cache_key, body)
    if body.request_id is not None and body.cache_key is None:
        return await _rate(request, services, body.request_id, body)
    raise InvalidRequest(
        "Send either `cache_key` with `rating`, or `request_id` with `quality_score`.",
        code="missing_required_parameter",
        param="cache_key",
    )


async def remove_answer(request: Request, cache_key: CacheKey) -> dict[str, Any]:
    """Takes a kept answer out of service on every worker, for good; the vote against it tells who did, and when.

    Doing so again changes nothing. Raises `NotFound`.
    """
    services = services_of(request)
    await services.feedback.vote(
        cache_key, -1, tenant=tenant_of(request), principal=caller_of(request).key_id, comment=REMOVED, decides=True
    )
    await services.forget(cache_key)
    return {"cache_key": cache_key, "removed": True}


async def _vote(request: Request, services: Services, cache_key: str, body: FeedbackBody) -> dict[str, Any]:
    if body.rating is None:
        raise InvalidRequest("A vote needs `rating`: -1, 0 or 1.", code="missing_required_parameter", param="rating")
    caller = caller_of(request)
    verdict = await services.feedback.vote(
        cache_key, body.rating, tenant=tenant_of(request), principal=caller.key_id, comment=body.comment
    )
    if verdict.invalidated:
        await services.forget(cache_key)
    message = "This answer will not be served again." if verdict.invalidated else "Thank you, the vote counts."
    return {
        "success": True,
        "quality_score": verdict.quality_score,
        "invalidated": verdict.invalidated,
        "message": message,
    }


async def _rate(request: Request, services: Services, request_id: str, body: FeedbackBody) -> dict[str, Any]:
    if body.quality_score is None:
        raise InvalidRequest(
            "A rating needs `quality_score`: 1 to 5.", code="missing_required_parameter", param="quality_score"
        )
    # People may rate before the request is in the database.
    await services.flush()
    verdict = await services.feedback.rate(
        request_id,
        body.quality_score,
        tenant=tenant_of(request),
        principal=caller_of(request).key_id,
        details={"is_correct": body.is_correct, "is_helpful": body.is_helpful, "comment": body.comment},
    )
    return {
        "success": True,
        "quality_score": verdict.quality_score,
        "invalidated": False,
        "message": "Thank you, the rating counts.",
    }
