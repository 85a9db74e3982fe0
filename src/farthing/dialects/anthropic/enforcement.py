"""JSON Schemas in the subset that Anthropic can enforce."""

from __future__ import annotations

from typing import Any

_NOT_ENFORCED = frozenset(
    {
        "exclusiveMaximum",
        "exclusiveMinimum",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "uniqueItems",
    }
)
"""Keywords that the vendor refuses; the caller still validates the answer by them."""

_BY_NAME = frozenset({"$defs", "definitions", "properties"})
"""Keywords whose members are named by the schema's author: their names are no keywords."""


def enforceable(schema: Any) -> Any:
    """`schema` with every object closed and without the keywords that are refused."""
    if isinstance(schema, list):
        return [enforceable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    cleaned = {
        key: {name: enforceable(member) for name, member in value.items()}
        if key in _BY_NAME and isinstance(value, dict)
        else value
        if key in {"const", "default", "enum", "examples"}
        else enforceable(value)
        for key, value in schema.items()
        if key not in _NOT_ENFORCED and not (key == "minItems" and value not in {0, 1})
    }
    if schema.get("type") == "object" or "properties" in schema:
        cleaned["additionalProperties"] = False
    return cleaned
