"""What the journal writes down, as bytes: a request that is about to be asked, and a request that has ended."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from farthing.domain.exchange import Exchange, Intent, Lines


class _Opening(Struct, frozen=True, array_like=True, tag="opened", gc=False):
    request_id: str
    exchange: Exchange
    lines: Lines | None


class _Settling(Struct, frozen=True, array_like=True, tag="settled", gc=False):
    exchange: Exchange


class Opened(Struct, frozen=True, array_like=True, tag="opened", gc=False):
    """An intent as read back. Most are settled soon after, so the exchange stays encoded until it is wanted."""

    request_id: str
    encoded: Raw
    lines: Lines | None = None

    def exchange(self, tokens_out: int = 0) -> Exchange:
        """The record as it reads when no settlement follows, and a stream has said so many tokens.

        Raises `msgspec.MsgspecError` if it is damaged.
        """
        exchange = _exchange.decode(self.encoded)
        return self.lines.priced(exchange, tokens_out) if self.lines and tokens_out else exchange


class Settled(Struct, frozen=True, array_like=True, tag="settled", gc=False):
    """How a request ended."""

    exchange: Exchange


_encode = msgspec.msgpack.Encoder().encode
_text = msgspec.json.Encoder().encode
_exchange = msgspec.msgpack.Decoder(Exchange)
_record: msgspec.msgpack.Decoder[Opened | Settled] = msgspec.msgpack.Decoder(Opened | Settled)
read = _record.decode
"""The record in these bytes. Raises `msgspec.MsgspecError` where they are none."""


def opened(intent: Intent) -> bytes:
    """The record of an intent."""
    exchange = intent.exchange
    return _encode(_Opening(exchange.request_id, written(exchange), intent.lines))


def settled(exchange: Exchange) -> bytes:
    """The record of a settlement that is as `written`."""
    return _encode(_Settling(exchange))


def written(exchange: Exchange) -> Exchange:
    """With the decision as the text that the ledger keeps: whoever reads the record has no use for its parts."""
    if isinstance(exchange.decision, dict):
        return replace(exchange, decision=_text(exchange.decision).decode())
    return exchange
