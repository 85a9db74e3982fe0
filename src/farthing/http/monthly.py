"""The monthly report as a file, and how those stand that are sent each month."""

from __future__ import annotations

from contextlib import aclosing
from typing import Annotated, Any

from fastapi import Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Send

from farthing.domain.errors import InvalidRequest, NotFound
from farthing.domain.months import month_span
from farthing.http.moments import rfc3339
from farthing.http.policy import tenant_of
from farthing.http.reports import caught_up
from farthing.http.services import services_of
from farthing.ports import Stretch, Tracked
from farthing.ports.reports import Document, Order

MOST_DELIVERIES = 200

Month = Annotated[str, Path(pattern=r"^(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])$")]


class ReportQuery(BaseModel):
    """What is wanted of the month."""

    model_config = ConfigDict(extra="forbid")

    format: Annotated[str, Field(max_length=16)] = "json"
    tenant: Annotated[str | None, Field(max_length=256)] = None
    """For those who see several."""


class Download(StreamingResponse):
    """A document on its way to a file; whoever stops reading ends it."""

    def __init__(self, document: Document, *, media_type: str, name: str) -> None:
        super().__init__(document, media_type=media_type)
        self.headers["content-disposition"] = f'attachment; filename="{name}"'
        self._document = document

    async def stream_response(self, send: Send) -> None:
        """Sends it."""
        async with aclosing(self._document):
            await super().stream_response(send)


async def monthly_report(request: Request, month: Month, query: Annotated[ReportQuery, Query()]) -> Download:
    """What a month in UTC came to, of the caller's tenant or, with an admin key, of all or of the one named.

    Raises `InvalidRequest` for a format that is none, `NotFound` for a tenant out of reach, `NotInstalled`, `Conflict`
    while too many are written, and `Unavailable`.
    """
    seen = tenant_of(request)
    if query.tenant is not None and seen not in (None, query.tenant):
        raise NotFound("There is no such tenant here.", param="tenant")
    formats = services_of(request).reporting.formats
    if query.format not in formats:
        raise InvalidRequest(f"`format` must be one of {', '.join(formats)}.", code="invalid_parameter", param="format")
    services = await caught_up(request)
    window = month_span(month)
    order = Order(
        month=month,
        stretch=Stretch(window.start_us, window.end_us),
        tenant=query.tenant or seen,
        format=query.format,
        is_demo=services.snapshots.current.catalogue.demo,
        now_us=services.clock.now_us(),
    )
    chosen = formats[query.format]
    document = await services.reporting(order)
    return Download(document, media_type=chosen.media_type, name=f"farthing-{month}{chosen.suffix}")


async def deliveries(request: Request) -> dict[str, Any]:
    """The last reports that went out by themselves, and those that wait; of these a tenant sees its own.

    Raises `Unavailable`.
    """
    found = await services_of(request).deliveries(tenant_of(request), MOST_DELIVERIES)
    return {"data": [_shown(one) for one in found]}


def _shown(one: Tracked) -> dict[str, Any]:
    return {
        **one.notice.data,
        "channel": one.channel.rpartition(":")[2],
        "status": _status(one),
        "attempts": one.attempts,
        "failure": one.failure,
        "announced_at": rfc3339(one.announced_us),
        "next_try_at": rfc3339(one.due_us) if one.delivered_us is None else None,
        "sent_at": None if one.delivered_us is None else rfc3339(one.delivered_us),
    }


def _status(one: Tracked) -> str:
    if one.delivered_us is not None:
        return "sent"
    return "waiting" if one.failure is None else "failing"
