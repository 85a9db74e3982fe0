"""What a vendor said in one body reaches a caller of the same dialect as it was."""

from __future__ import annotations

import pytest

from farthing.dialects import UPSTREAM
from farthing.dialects.base import UpstreamDialect


@pytest.mark.parametrize("dialect", UPSTREAM.values(), ids=UPSTREAM.keys())
def test_a_whole_body_is_relayed_byte_for_byte(dialect: UpstreamDialect) -> None:
    """Spaces, unknown fields and the way numbers are written stay."""
    body = b'{ "a":1.50, "b":[1E2, "\\/ \xc3\xa9"] }\n'
    assert dialect.relay_whole(body) is body
