"""Requests that something holds for without their naming it."""

from __future__ import annotations

import pytest

from farthing.domain.scope import Scope, Where


@pytest.mark.parametrize(
    ("where", "value", "covered"),
    [
        ("route", "/complete", True),
        ("route", "/v1/messages", False),
        ("key", "k1", True),
        ("key", "k2", False),
        ("tag", "team=support", True),
        ("tag", "team=sales", False),
        ("tag", "feature=support", False),
    ],
)
def test_a_scope_covers_what_it_names(where: Where, value: str, *, covered: bool) -> None:
    """A request is of one route and key, and may have many tags."""
    assert Scope(where, value).covers("/complete", "k1", {"team": "support", "x": "y"}) is covered


def test_a_request_without_key_or_tags_is_covered_by_its_route_alone() -> None:
    """Nothing else is known of it."""
    scopes = [Scope("key", "k1"), Scope("tag", "team=support"), Scope("route", "/complete")]
    assert [scope.covers("/complete", None, {}) for scope in scopes] == [False, False, True]
