"""What is scored: whole rows, priced, in folds that no prompt straddles."""

from __future__ import annotations

import pytest

from farthing.insight.evaluation.costs import priced
from farthing.insight.evaluation.table import alike, folds, tabulate
from farthing.insight.learning.labels import BadLabels, Labelled, Outcome
from tests.unit.insight.evaluation.outcomes import row


def test_the_pool_is_ordered_by_mean_cost() -> None:
    """The cheapest model first; the best is the one of highest mean quality, of equals the cheapest."""
    table = tabulate([row(0, (1, 0, 1), (3, 1, 2)), row(1, (1, 1, 1), (3, 1, 2))])
    assert table.models == ("b", "c", "a")
    assert table.quality.tolist() == [[0, 1, 1], [1, 1, 1]]
    assert table.cost.tolist() == [[1, 2, 3], [1, 2, 3]]
    assert table.models[table.best] == "c"


def test_a_rare_model_is_no_member_and_a_row_without_a_member_is_not_scored() -> None:
    """A model counts if half of the rows hold it; rows are counted that lack one of these."""
    table = tabulate([row(0, (1, 1, 1), (1, 2, 3)), row(1, (1, 1), (1, 2)), row(2, (1, 1), (1, 2)), row(3, (1,), (1,))])
    assert (table.models, len(table.rows), table.left_out) == (("a", "b"), 3, 1)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row(0, (1,), (1,))], "routing needs two models to choose from: a stands in at least half of the rows"),
        (
            [
                Labelled(prompt="p", outcomes={"a": Outcome(1, 1)}),
                Labelled(prompt="q", outcomes={"b": Outcome(1, 1)}),
            ],
            "no row holds an outcome for each of a, b",
        ),
    ],
)
def test_what_leaves_no_choice_is_refused(rows: list[Labelled], said: str) -> None:
    """One model only, or models that never met."""
    with pytest.raises(BadLabels, match=said):
        tabulate(rows)


def test_the_same_prompt_is_never_on_both_sides() -> None:
    """Prompts that differ in case and white space alone are in the fold of the first."""
    rows = [
        row(1, (1, 1), (1, 1), prompt="Hello  World"),
        row(2, (1, 1), (1, 1), prompt="hello world\n"),
        row(3, (1, 1), (1, 1)),
    ]
    assert folds(rows) == {"hello world": 1, "prompt 3": 3}
    assert alike("Hello  World") == "hello world"


def test_rows_of_a_single_fold_are_split_by_prompt() -> None:
    """A part that was held out by its ids can be cross-fitted all the same."""
    found = folds([row(5 * number, (1, 1), (1, 1)) for number in range(40)])
    assert set(found.values()) == {0, 1, 2, 3, 4}


def test_costs_are_recorded_or_by_list_price() -> None:
    """Tokens of prompt and answer at the given price, else at the list price; 250 where the answer is not recorded."""
    known = {"a": Outcome(1, 0.5), "b": Outcome(1, None, "yes"), "gpt-4-1106-preview": Outcome(1)}
    [found] = priced([Labelled(prompt="Hello", outcomes=known)], {"b": 1e6})
    assert [outcome.cost for outcome in found.outcomes.values()] == [0.5, 3.0, pytest.approx(252 * 24.7e-6)]
    whole = [row(0, (1, 1), (1, 2))]
    assert priced(whole, {}) == whole


def test_an_unknown_price_is_asked_for() -> None:
    """By the model's name, and by the option that takes it."""
    with pytest.raises(BadLabels, match=r"what a costs is not known: .* or give --price a=USD_PER_MTOK"):
        priced([row(0, (1, 1), (None, None))], {})
