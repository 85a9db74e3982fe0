"""Posts notices to a URL, signed as the Standard Webhooks specification says."""

from __future__ import annotations

import msgspec

from farthing.domain.alerts import NotDelivered, Notice, moment_text
from farthing.domain.errors import UpstreamError
from farthing.domain.secrecy import Secret
from farthing.domain.signing import signature
from farthing.ports import Clock, Deadlines, Transport, UpstreamRequest

DEADLINES = Deadlines(connect=5.0, first_token=10.0, idle=5.0, total=15.0)
LARGEST_REPLY = 64 * 1024
_ACCEPTED = range(200, 300)


class Webhook:
    """Implements `ports.Channel`. What the receiver answers is read no further than its status."""

    name = "webhook"

    def __init__(self, url: Secret[str], *, secret: Secret[bytes], transport: Transport, clock: Clock) -> None:
        """Whoever knows `url` may post there; `secret` as `secret_bytes` makes it."""
        self._url = url
        self._secret = secret
        self._transport = transport
        self._clock = clock

    async def send(self, notice: Notice) -> None:
        """Returns when the receiver has accepted it. Raises `NotDelivered`."""
        now_us = self._clock.now_us()
        body = msgspec.json.encode(
            {
                "type": notice.kind,
                "timestamp": moment_text(notice.occurred_at_us),
                "text": notice.text,
                "data": notice.data,
            }
        )
        moment_s = now_us // 1_000_000
        headers = {
            "content-type": "application/json",
            "webhook-id": notice.event_id,
            "webhook-timestamp": str(moment_s),
            "webhook-signature": signature(self._secret.reveal(), notice.event_id, moment_s, body),
        }
        request = UpstreamRequest(
            url=self._url.reveal(),
            headers=tuple((name.encode(), value.encode()) for name, value in headers.items()),
            body=body,
            deadlines=DEADLINES,
        )
        try:
            response = await self._transport.send(request)
            try:
                await response.read(LARGEST_REPLY)
            finally:
                response.close()
        except UpstreamError as error:
            raise NotDelivered(f"the webhook did not answer: {error.code}") from error
        if response.status not in _ACCEPTED:
            raise NotDelivered(f"the webhook answered {response.status}")
