"""What a request shows of itself."""

from __future__ import annotations

from tests.unit.gateway.rig import Rig, chat


def test_a_request_shows_neither_key_nor_words() -> None:
    """Where it is printed or logged."""
    shown = repr(Rig([]).call(chat("canary"), key="sk-canary"))
    assert shown == "Call('request-1', '/v1/chat/completions')"
