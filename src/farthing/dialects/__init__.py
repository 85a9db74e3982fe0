"""Pure translation between vendors' bytes and the domain's words. A dialect is a package here and a line below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from farthing.dialects.base import InboundDialect, UpstreamDialect
from farthing.dialects.native import Native
from farthing.dialects.openai import OpenAI

INBOUND: Final[Mapping[str, InboundDialect]] = {
    "openai": OpenAI(),
    "native": Native(),
}
"""What callers may speak."""

UPSTREAM: Final[Mapping[str, UpstreamDialect]] = {
    "openai": OpenAI(),
}
"""What providers may speak."""
