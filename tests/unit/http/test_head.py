"""Heads are remembered, but for those that name one request."""

from __future__ import annotations

import pytest

from farthing.http.head import Heads

PATH = "/v1/chat/completions"


def head(*more: str) -> bytes:
    """A plain request's, of a body of two bytes."""
    lines = [f"POST {PATH} HTTP/1.1", "host: localhost", "content-type: application/json", "content-length: 2", *more]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("header", "is_remembered"),
    [
        ("x-farthing-session: s", True),
        ("idempotency-key: once", False),
        ("x-farthing-feedback: r=4", False),
    ],
)
def test_a_head_that_names_one_request_is_not_remembered(header: str, is_remembered: bool) -> None:
    """It does not come again in another's; it is understood all the same."""
    heads = Heads(frozenset({PATH}))
    first, again = heads.find(head(header)), heads.find(head(header))
    assert first is not None
    assert again is not None
    assert first.head.directives == again.head.directives
    assert (first is again) is is_remembered


def test_heads_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A length more or less makes no new one; when there are too many, they are read anew; a long one is not ours."""
    monkeypatch.setattr("farthing.http.head.MOST_HEADS", 2)
    heads = Heads(frozenset({PATH}))
    for size in (1, 22, 333):
        plain = head().replace(b"length: 2", b"length: %d" % size)
        frame = heads.find(plain)
        assert frame is not None
        assert frame.measure(plain + b" " * size) == (len(plain), size)
    assert len(heads._known) == 1
    for name in ("a", "b", "c", "d" * 9000):
        assert (heads.find(head("x-trace: " + name)) is None) == (len(name) > 1)
    assert len(heads._known) == 2
