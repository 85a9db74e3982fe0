"""Alerts posted to a real socket."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import AsyncIterator

import pytest

from farthing.background.clock import ManualClock
from farthing.domain.alerts import NotDelivered, Notice
from farthing.domain.secrecy import Secret
from farthing.notify.webhook import Webhook
from farthing.providers.transport import HttpTransport
from tests.faultserver.server import FaultServer, always, answer, cut

NOTICE = Notice(
    event_id="budget:b1:0:10:50",
    kind="budget.threshold_reached",
    text="The day's budget of key k1 has come to 50%.",
    occurred_at_us=1_764_547_200_000_000,
    data={"threshold_percent": 50, "subject": "k1\r\nx-evil: 1"},
)
SECRET = b"a secret of the test"


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    """A transport that is closed at the end."""
    transport = HttpTransport()
    yield transport
    await transport.aclose()


def webhook(url: str, transport: HttpTransport) -> Webhook:
    """The channel under test, a second after midnight."""
    return Webhook(Secret(url), secret=Secret(SECRET), transport=transport, clock=ManualClock(1_764_547_201_000_000))


async def test_a_notice_arrives_signed(transport: HttpTransport) -> None:
    """Over exactly the bytes that were sent, with the moment of sending; other people's text adds no header."""
    async with FaultServer(always(answer(b"", status=b"204 No Content"))) as server:
        await webhook(f"{server.url}/hook?team=a", transport).send(NOTICE)
        [request] = server.requests
        await transport.aclose()
    assert request.line == b"POST /hook?team=a HTTP/1.1"
    assert json.loads(request.body) == {
        "type": "budget.threshold_reached",
        "timestamp": "2025-12-01T00:00:00Z",
        "text": NOTICE.text,
        "data": NOTICE.data,
    }
    assert request.headers[b"webhook-id"] == b"budget:b1:0:10:50"
    assert request.headers[b"webhook-timestamp"] == b"1764547201"
    signed = hmac.digest(SECRET, b"budget:b1:0:10:50.1764547201." + request.body, "sha256")
    assert request.headers[b"webhook-signature"] == b"v1," + b64encode(signed)
    assert b"x-evil" not in request.headers


@pytest.mark.parametrize("status", [b"500 Oops", b"302 Found", b"404 Not Found", b"410 Gone"])
async def test_what_is_not_accepted_is_not_delivered(transport: HttpTransport, status: bytes) -> None:
    """A redirect neither: what it points to has not been checked by anybody."""
    async with FaultServer(always(answer(b"x", status=status, headers=b"location: http://127.0.0.1:1/\r\n"))) as server:
        with pytest.raises(NotDelivered, match=f"answered {status[:3].decode()}"):
            await webhook(server.url, transport).send(NOTICE)
        assert len(server.requests) == 1
        await transport.aclose()


async def test_a_receiver_that_breaks_off_is_not_delivered_to(transport: HttpTransport) -> None:
    """Nor one that is not there."""
    async with FaultServer(cut(answer(b"long"), 20)) as server:
        with pytest.raises(NotDelivered, match="did not answer"):
            await webhook(server.url, transport).send(NOTICE)
        gone = server.url
    with pytest.raises(NotDelivered, match="did not answer"):
        await webhook(gone, transport).send(NOTICE)
