"""Which Claude model takes what."""

import pytest

from farthing.dialects.anthropic.enforcement import enforceable
from farthing.dialects.anthropic.generations import Generation, budget
from farthing.domain.chat import Effort


@pytest.mark.parametrize(
    ("model", "version"),
    [
        ("claude-opus-5-5", (5, 5)),
        ("claude-opus-5", (5, 0)),
        ("claude-fable-5-1", (5, 1)),
        ("claude-haiku-4-5-20251001", (4, 5)),
        ("claude-sonnet-4-20250514", (4, 0)),
        ("claude-3-7-sonnet-20250219", (3, 7)),
        ("claude-2.1", (2, 1)),
        ("anthropic/claude-sonnet-4.5", (4, 5)),
        ("us.anthropic.claude-opus-4-6-v1:0", (4, 6)),
        ("claude-sonnet-latest", (99, 0)),
        ("kimi-k2-0905", (0, 0)),
    ],
)
def test_the_version_is_read_from_the_name(model: str, version: tuple[int, int]) -> None:
    """Numbers may stand before or after the family; dates are no versions; other vendors have none."""
    assert Generation.of(model).version == version


@pytest.mark.parametrize(
    ("model", "tokens"),
    [("claude-opus-4-7", 32_000), ("claude-3-haiku-20240307", 4_096), ("kimi-k2", 8_192)],
)
def test_the_default_limit_suits_the_generation(model: str, tokens: int) -> None:
    """Where the caller names no limit, one is asked for that the model takes."""
    assert Generation.of(model).max_tokens == tokens


@pytest.mark.parametrize(
    ("model", "effort", "tokens", "expected"),
    [
        ("claude-opus-4-7", "xhigh", None, "xhigh"),
        ("claude-opus-4-6", "xhigh", None, "high"),
        ("claude-opus-4-7", "minimal", None, "low"),
        ("claude-opus-4-7", "medium", None, "medium"),
        ("claude-opus-4-7", "none", None, None),
        ("claude-opus-5", "none", None, "low"),
        ("claude-opus-5", None, None, None),
        ("claude-opus-5", None, 1_024, "low"),
        ("claude-opus-5", None, 8_192, "medium"),
        ("claude-opus-5", None, 8_193, "high"),
        ("claude-opus-5", None, 100_000, "xhigh"),
        ("claude-opus-5", "low", 100_000, "low"),
    ],
)
def test_adaptive_models_get_an_effort(
    model: str, effort: Effort | None, tokens: int | None, expected: str | None
) -> None:
    """A budget becomes the nearest effort, and an effort the model lacks becomes the nearest one it has."""
    assert Generation.of(model).effort(effort, tokens) == expected


@pytest.mark.parametrize(
    ("effort", "tokens", "expected"),
    [
        (None, None, 0),
        ("none", None, 0),
        ("low", None, 2_048),
        ("high", None, 16_384),
        (None, 100, 1_024),
        (None, 5_000, 5_000),
    ],
)
def test_older_models_get_a_budget(effort: Effort | None, tokens: int | None, expected: int) -> None:
    """An effort becomes a budget, and no budget is smaller than the vendor takes."""
    assert budget(effort, tokens) == expected


def test_a_schema_is_cut_to_what_is_enforced() -> None:
    """Objects are closed and refused keywords dropped, but not from names, constants and examples."""
    schema = {
        "type": "object",
        "additionalProperties": True,
        "properties": {
            "maximum": {"type": "integer", "maximum": 9, "minimum": 1},
            "list": {"type": "array", "minItems": 3, "maxItems": 5, "items": {"properties": {"a": {"minLength": 1}}}},
            "kind": {"enum": [{"maximum": 1}], "default": {"minimum": 2}},
            "some": {"type": "array", "minItems": 1, "prefixItems": [{"multipleOf": 2}, True]},
        },
        "$defs": {"pattern": {"type": "string", "pattern": "^a"}},
    }
    assert enforceable(schema) == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "maximum": {"type": "integer"},
            "list": {"type": "array", "items": {"properties": {"a": {}}, "additionalProperties": False}},
            "kind": {"enum": [{"maximum": 1}], "default": {"minimum": 2}},
            "some": {"type": "array", "minItems": 1, "prefixItems": [{}, True]},
        },
        "$defs": {"pattern": {"type": "string", "pattern": "^a"}},
    }
