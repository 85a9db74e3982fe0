"""Rows that others published, or that were measured before this project, and the goals of `make eval-routing`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """A router and its figures by name."""

    router: str
    figures: Mapping[str, float]


class Goal(NamedTuple):
    """What a router is to reach on a set."""

    dataset: str
    router: str
    figure: str
    bound: float
    is_least: bool
    """Whether more is better."""


def _calls(cpt50: float, cpt80: float, apgr: float) -> Mapping[str, float]:
    return {"cpt50": cpt50, "cpt80": cpt80, "apgr": apgr}


def _costs(at95: float, at99: float, at100: float) -> Mapping[str, float]:
    return {"cost@95": at95, "cost@99": at99, "cost@100": at100}


def _rewards(first: float, second: float) -> Mapping[str, float]:
    return {"at $0.000235": first, "at $0.00065": second}


_LEARNED = (("100", 0.550), ("300", 0.578), ("1,000", 0.620), ("3,000", 0.655), ("11,000", 0.682))

PUBLISHED: Mapping[str, Sequence[Row]] = {
    "mmlu_gpt4_mixtral": (
        Row("RouteLLM, best of five", _calls(35.4, 70.3, 0.603)),
        Row("length alone", _calls(35.9, 69.1, 0.586)),
        Row("no label of the task, best of five sources", _calls(32.7, 67.0, 0.611)),
        *(Row(f"{count} labels", {"apgr": apgr}) for count, apgr in _LEARNED),
        Row("oracle", _calls(6.3, 10.0, 1.285)),
    ),
    "gsm8k_gpt4_mixtral": (
        Row("RouteLLM, best of five", _calls(33.6, 63.3, 0.622)),
        Row("length alone", _calls(36.7, 66.6, 0.598)),
        Row("1,000 labels", _calls(34.0, 58.5, 0.645)),
    ),
    "uiuc9": (
        Row("ZERO", _costs(27.8, 84.4, 100)),
        Row("29 regex and length features", _costs(23.0, 52.1, 68.1)),
        Row("TF-IDF + logistic", _costs(18.0, 45.3, 60.2)),
        Row("ensemble of four", _costs(18.4, 41.7, 55.9)),
        Row("static embeddings + TF-IDF + keywords", _costs(19.7, 42.7, 55.9)),
        Row("router and learned cascade, nested", _costs(14.9, 30.0, 35.6)),
        Row("oracle", _costs(3.4, 3.5, 3.5)),
    ),
    "pareto4": (
        Row("ParetoBandit", _rewards(0.859, 0.898)),
        Row("ZERO", _rewards(0.847, 0.923)),
        Row("trained on 1,785 rows", _rewards(0.883, 0.924)),
        Row("oracle", _rewards(0.931, 0.946)),
    ),
}
"""By data set. Their samples are larger than ours: all prompts of RouteLLM's tasks, ParetoBandit's test prompts."""

LABELS: Mapping[str, Sequence[int]] = {"mmlu_gpt4_mixtral": (100, 300, 1_000, 3_000), "gsm8k_gpt4_mixtral": (100, 300)}
"""How many rows the predictor is also fitted to, to show what labels are worth."""

NEARLY_ALL = "learning, 9 of 10"
"""The predictor fitted to nine tenths of the rows, not to the other parts alone: what "with all labels" comes to."""

NOTES: Mapping[str, str] = {
    "gsm8k_gpt4_mixtral": "788 rows: 525 labels are learned from, 709 with 9 of 10; 1,000 are not at hand",
    "uiuc9": "published rows are on another set of nine models: 5,505 prompts with dollars and answers, not at hand",
}

GOALS = (
    Goal("mmlu_gpt4_mixtral", "cold", "apgr", 0.63, is_least=True),
    Goal("mmlu_gpt4_mixtral", NEARLY_ALL, "apgr", 0.71, is_least=True),
    Goal("gsm8k_gpt4_mixtral", "cold", "apgr", 0.63, is_least=True),
    Goal("gsm8k_gpt4_mixtral", NEARLY_ALL, "apgr", 0.67, is_least=True),
    Goal("uiuc9", NEARLY_ALL, "cost@99", 37.0, is_least=False),
    Goal("pareto4", NEARLY_ALL, "at $0.000235", 0.895, is_least=True),
    *(
        Goal(name, "learning", "µs", 1000.0, is_least=False)
        for name in ("mmlu_gpt4_mixtral", "gsm8k_gpt4_mixtral", "uiuc9", "pareto4")
    ),
)
"""What is to be reached. The hybrid's goal, 24% and 28% for nine models, needs their answers, which are not at hand."""
