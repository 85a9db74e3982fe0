"""One call upstream over the loopback."""

from __future__ import annotations

from benchmarks.micro.meter import Meter
from benchmarks.micro.samples import encoded
from benchmarks.micro.vendor import ANSWER, Vendor
from farthing.ports import UpstreamRequest
from farthing.providers.transport import HttpTransport

MOST_BYTES = 1 << 20
AT_ONCE = 16
HEADERS = ((b"authorization", b"Bearer key"), (b"content-type", b"application/json"))


def bench_upstream_call(meter: Meter) -> None:
    """A short request and its whole answer on kept connections, several at once; the vendor's time is apart."""
    transport = HttpTransport()

    async def ask(request: UpstreamRequest) -> bytes:
        response = await transport.send(request)
        return await response.read(MOST_BYTES)

    with Vendor() as vendor:
        url = f"{vendor.url}/v1/chat/completions"
        requests = [UpstreamRequest(url=url, headers=HEADERS, body=body) for body in encoded("short")]
        assert meter.run(ask(requests[0])) == ANSWER
        meter.each_awaited(ask, requests, AT_ONCE, goal_us=12, server=vendor.pid)
        meter.run(transport.aclose())
