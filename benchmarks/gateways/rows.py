"""What is asked of every gateway: each row of the table, as one request that a load repeats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from benchmarks.native import PLACEHOLDER, Load

Row = Literal["forwarded", "hit", "streaming", "tls"]

EVENTS, GAP_MS = 34, 10
"""A streamed answer: its events, and how far apart the vendor sends them."""
TIMEOUT_SECONDS = 60.0
"""The slowest peer needs a sixth of it for as many streams at once."""
CHAT = "/v1/chat/completions"


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """How a row is loaded."""

    title: str
    connections: int = 32
    varies: bool = True
    """Whether no two prompts are the same, so that no cache can answer."""
    streams: bool = False
    paced_per_second: float = 200
    """Requests a second, at equal distances, where the added latency is measured."""


ROWS: dict[Row, Kind] = {
    "forwarded": Kind(title="Forwarded, no two prompts the same"),
    "hit": Kind(title="Answered from the gateway's own memory", varies=False),
    "streaming": Kind(
        title=f"Streamed, {EVENTS} events {GAP_MS} ms apart", connections=300, streams=True, paced_per_second=10
    ),
    "tls": Kind(title="Forwarded to a vendor that speaks TLS"),
}


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how one gateway is asked."""

    url: str
    """Without a path."""
    path: str = CHAT
    model: str = "mock"
    headers: Mapping[str, str] = {}
    extra: Mapping[str, object] = {}
    """What the gateway wants in the body beside the vendor's own fields."""

    def body(self, kind: Kind) -> bytes:
        """One chat request of that kind."""
        asked = f"Question {PLACEHOLDER if kind.varies else 'the same'}: what is an event loop, and when does it pay?"
        streaming = {"stream": True, "stream_options": {"include_usage": True}} if kind.streams else {}
        return msgspec.json.encode(
            {
                "model": self.model,
                "messages": [{"role": "user", "content": asked}],
                "max_tokens": 100,
                **streaming,
                **self.extra,
            }
        )

    def load(self, kind: Kind, *, seconds: float, paced: bool = False, awake: bool = True) -> Load:
        """So many seconds of it, as fast as it is answered or at the kind's pace; `awake` as `Load` says."""
        return Load(
            url=f"{self.url}{self.path}",
            body=self.body(kind),
            headers=self.headers,
            connections=kind.connections,
            vary=kind.varies,
            awake=awake,
            seconds=seconds,
            rate=kind.paced_per_second if paced else None,
            timeout=TIMEOUT_SECONDS,
        )
