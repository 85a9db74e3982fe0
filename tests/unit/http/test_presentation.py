"""Integers of the ledger as people read them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farthing.http.presentation import as_object, presented


def test_money_becomes_dollars_and_moments_become_text() -> None:
    """At every depth, by the field's name; everything else stays."""
    tree = {
        "overall": {"total_cost": 1_500_000_000, "total_requests": 2, "total_savings": 0},
        "rows": [{"cost": None, "baseline_cost": 1, "created_at": 0, "model": "cost"}],
        "interval": [1_000_000_000, 2_000_000_000],
        "generated_at": 1_000,
        "by_source": {"routing": 500_000_000, "answer_cache": -500_000_000},
        "avg_cost": 0.5,
    }
    assert as_object(tree) == {
        "overall": {"total_cost": 1.5, "total_requests": 2, "total_savings": 0.0},
        "rows": [{"cost": None, "baseline_cost": 1e-9, "created_at": "1970-01-01T00:00:00.000Z", "model": "cost"}],
        "interval": [1.0, 2.0],
        "generated_at": "1970-01-01T00:00:00.001Z",
        "by_source": {"routing": 0.5, "answer_cache": -0.5},
        "avg_cost": 5e-10,
    }


def test_names_that_people_chose_are_not_taken_for_fields() -> None:
    """A provider called `cost` is a table of figures like any other."""
    assert as_object({"provider_usage": {"cost": {"requests": 3, "cost": 10**9}}}) == {
        "provider_usage": {"cost": {"requests": 3, "cost": 1.0}}
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "model", ""]), inner),
        max_leaves=10,
    )
)
def test_other_fields_are_left_as_they_are(tree: object) -> None:
    """Whatever they hold."""
    assert presented(tree) == tree
