"""The reference cases of assignment: GrowthBook's ranges and namespaces, by its hash and our bounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from farthing.domain.experiments.assignment import allocation, ranges
from farthing.domain.experiments.definition import Namespace
from tests.unit.domain.experiments.samples import experiment

GOLDEN = Path(__file__).parents[3] / "golden" / "statistics" / "vectors.json"
CASES: list[dict[str, Any]] = [
    case for case in json.loads(GOLDEN.read_text())["cases"] if case["category"] == "assignment"
]


def fnv(text: str) -> int:
    """FNV-1a in 32 bits (Fowler, Noll and Vo)."""
    found = 0x811C9DC5
    for byte in text.encode():
        found = (found ^ byte) * 0x01000193 % (1 << 32)
    return found


def growthbook(seed: str, value: str, version: int) -> float | None:
    """GrowthBook's hash of a user as a share of 1; our own is SHA-256, as test_assignment.py holds."""
    if version == 1:
        return fnv(value + seed) % 1_000 / 1_000
    return fnv(str(fnv(seed + value))) % 10_000 / 10_000 if version == 2 else None


def answer(case: dict[str, Any]) -> Any:
    """What we say to a case."""
    given = case["inputs"]
    if case["method"] == "growthbook_hash":
        return {"hash": growthbook(given["seed"], given["value"], given["version"])}
    if case["method"] == "bucket_ranges":
        shares = given["weights"] or [1 / given["variations"]] * given["variations"]
        return {"ranges": [pytest.approx(pair, abs=case["atol"]) for pair in ranges(shares, given["coverage"])]}
    name, start, end = given["namespace"]
    namespace = allocation(experiment(namespace=Namespace(name, start, end))).namespace
    assert namespace is not None
    share = growthbook(f"__{name}", given["user"], 1)
    assert share is not None
    return {"member": namespace[1] <= share * 2**64 < namespace[2]}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_answer_is_that_of_the_reference(case: dict[str, Any]) -> None:
    """Every case of assignment, at its own tolerance."""
    found = answer(case)
    if "ranges" in found:
        assert [tuple(pair) for pair in case["expected"]["ranges"]] == found["ranges"]
    else:
        assert found == case["expected"]


def test_no_kind_of_case_is_left_out() -> None:
    """A kind that joins the reference is answered here or fails."""
    assert {case["method"] for case in CASES} == {"growthbook_hash", "bucket_ranges", "in_namespace"}
