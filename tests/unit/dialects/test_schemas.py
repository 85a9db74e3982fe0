"""Schemas of strangers: what is too much, what is no schema, and what passes."""

from __future__ import annotations

from functools import reduce

import pytest

from farthing.dialects import schemas
from farthing.domain.errors import InvalidRequest

Schema = dict[str, object]


def nested(levels: int) -> Schema:
    """A schema of this many objects inside one another."""
    inner: Schema = {}
    return reduce(lambda schema, _: {"items": schema}, range(levels - 1), inner)


def message(schema: Schema) -> str:
    """The refusal of a schema's bounds."""
    with pytest.raises(InvalidRequest) as caught:
        schemas.check_bounds([("fine", {}), ("none", None), ("path", schema)])
    assert (caught.value.param, caught.value.code) == ("path", "invalid_value")
    return caught.value.message


def test_a_schema_has_a_size() -> None:
    """A megabyte of schema is refused, and so is one byte too much."""
    assert "This schema has 1,048,594 bytes, at most 262,144 are allowed" in message({"description": "x" * 2**20})
    schemas.check_bounds([("path", {"description": "x" * (schemas.MAX_BYTES - 18)})])
    schemas.check_bounds([("path", {"description": "x" * 200_000})] * 3)
    assert "262,145 bytes" in message({"description": "x" * (schemas.MAX_BYTES - 17)})


def test_a_schema_has_a_depth() -> None:
    """32 levels pass, 33 do not."""
    schemas.check_bounds([("path", nested(32))])
    assert "nested deeper than 32 levels" in message(nested(33))


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"properties": {"x": {"$ref": "#/$defs/a%7E1~0"}}, "$defs": {"a/~": {"$ref": "#/$defs/a~1~0"}}},
    ],
)
def test_references_that_lead_back_to_themselves(schema: Schema) -> None:
    """A chain of references with nothing but references in it describes nothing."""
    assert "leads back to itself" in message(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"child": {"$ref": "#"}}},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"type": "string"}, "c": {"$ref": "#/$defs/b"}}},
        {"items": [{"$ref": "#/nowhere/at/all"}, {"$ref": "https://example.com/schema"}]},
        {"anyOf": [{"$ref": "#/anyOf/0"}]},
        {"enum": ["$ref"], "properties": {"$ref": {"type": "string"}}},
    ],
)
def test_references_that_describe_something(schema: Schema) -> None:
    """Recursive data, chains that end and references elsewhere pass; none is resolved."""
    schemas.check_bounds([("path", schema)])


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": ["string", "null"], "pattern": r"^([a-z]+-)*[a-z]+$", "enum": ["a"]},
        {"type": "object", "properties": {"a": True}, "required": ["a"], "additionalProperties": False},
        {"items": [{"type": "string"}, {"not": {}}], "anyOf": [{"if": {}, "then": {}, "else": {}}]},
        {"$defs": {"a": {}}, "patternProperties": {r"^\d+$": {"type": "number"}}, "x-vendor": [1]},
    ],
)
def test_shapes(schema: Schema) -> None:
    """What JSON Schema allows passes, whatever else stands beside it."""
    schemas.check_shape("path", schema)


@pytest.mark.parametrize(
    ("schema", "culprit"),
    [
        ({"type": "banana"}, "`type`"),
        ({"type": 5}, "`type`"),
        ({"type": []}, "`type`"),
        ({"properties": []}, "`properties`"),
        ({"properties": {"a": {"type": "date"}}}, "`type`"),
        ({"properties": {"a": 5}}, "'5' stands where a schema"),
        ({"items": "string"}, "'string' stands where a schema"),
        ({"required": "a"}, "`required`"),
        ({"required": [1]}, "`required`"),
        ({"enum": []}, "`enum`"),
        ({"anyOf": {}}, "`anyOf`"),
        ({"allOf": []}, "`allOf`"),
        ({"$defs": {"a": {"not": 1}}}, "'1' stands where a schema"),
        ({"pattern": 5}, "`pattern`"),
        ({"pattern": "x" * 1_025}, "`pattern`"),
        ({"pattern": "^(a+)+$"}, "`pattern`"),
        ({"pattern": r"(?:\w*)*"}, "`pattern`"),
        ({"pattern": r"([a-z\]]+){2,}"}, "`pattern`"),
        ({"pattern": r"(.{1,})+"}, "`pattern`"),
        ({"patternProperties": {"(a*)*": {}}}, "`patternProperties`"),
        ({"patternProperties": []}, "`patternProperties`"),
    ],
)
def test_what_is_no_schema(schema: Schema, culprit: str) -> None:
    """A keyword with a value it cannot have is refused, and so is a pattern that takes exponential time."""
    with pytest.raises(InvalidRequest) as caught:
        schemas.check_shape("path", schema)
    assert caught.value.param == "path"
    assert culprit in caught.value.message
