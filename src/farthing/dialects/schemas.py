"""JSON Schemas of strangers: bounded before a vendor or a validator sees them, and never resolved here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

from farthing.dialects.strict import invalid, is_deeper, shown

MAX_BYTES = 256 * 1024
"""Of one schema as JSON."""
MAX_DEPTH = 32
"""Objects and arrays inside one another."""
MAX_PATTERN = 1024
"""Characters of a `pattern`."""

_encode = msgspec.json.Encoder().encode
_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_BY_NAME = ("$defs", "definitions", "patternProperties", "properties")
_ONE = ("additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then")
_SEVERAL = ("allOf", "anyOf", "oneOf", "prefixItems")
_EXPLOSIVE = re.compile(r"\((?:\?:)?(?:\\.|\[(?:\\.|[^\]\\])+\]|[^\\\[\]()])(?:[*+]|\{\d+,\})\)(?:[*+]|\{\d+,\})")
"""A repeated group of nothing but a repetition, such as `(a+)+`: exponential in every engine that backtracks."""


def check_bounds(schemas: Sequence[tuple[str, dict[str, Any] | None]]) -> None:
    """Raises `InvalidRequest` for the first of these `(path, schema)` that is too large, too deep or endless."""
    for path, schema in schemas:
        text = _encode(schema)
        if len(text) > MAX_BYTES:
            raise invalid(path, f"This schema has {len(text):,} bytes, at most {MAX_BYTES:,} are allowed")
        if is_deeper(text, MAX_DEPTH):
            raise invalid(path, f"This schema is nested deeper than {MAX_DEPTH} levels: move parts into `$defs`")
        if schema is not None and b"$" in text and b'"$ref"' in text and _is_endless(schema):
            raise invalid(path, "A `$ref` of this schema leads back to itself and so describes nothing")


def check_shape(path: str, schema: dict[str, Any]) -> None:
    """Raises `InvalidRequest` where a keyword of the schema has a value it cannot have, or a pattern is dangerous."""
    rest: list[Any] = [schema]
    while rest:
        node = rest.pop()
        if isinstance(node, bool):
            continue
        if not isinstance(node, dict):
            raise invalid(path, f"This is no JSON Schema: {shown(str(node))} stands where a schema must stand")
        for keyword, is_valid in _KEYWORDS.items():
            if keyword in node and not is_valid(node[keyword]):
                raise invalid(path, f"This is no JSON Schema: look at a value of `{keyword}`")
        rest += _inside(node)


def _inside(node: Mapping[str, Any]) -> Iterator[Any]:
    """The schemas directly inside a schema."""
    for keyword in _BY_NAME:
        yield from node.get(keyword, {}).values()
    for keyword in _SEVERAL:
        yield from node.get(keyword, ())
    for keyword in _ONE:
        if keyword in node:
            inner = node[keyword]
            yield from inner if keyword == "items" and isinstance(inner, list) else (inner,)


def _is_type(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return bool(names) and all(isinstance(name, str) and name in _TYPES for name in names)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_pattern(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_PATTERN and not _EXPLOSIVE.search(value)


def _are_patterns(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_pattern, value))


_KEYWORDS: dict[str, Callable[[Any], bool]] = {
    "type": _is_type,
    "required": _is_names,
    "pattern": _is_pattern,
    "enum": _is_list,
    **dict.fromkeys(_BY_NAME, _is_object),
    **dict.fromkeys(_SEVERAL, _is_list),
    "patternProperties": _are_patterns,
}


def _is_endless(schema: dict[str, Any]) -> bool:
    """Whether following a `$ref` leads from reference to reference round to itself."""
    ending: set[str] = set()
    for start in _references(schema):
        chain: dict[str, None] = {}
        reference: Any = start
        while isinstance(reference, str) and reference not in ending:
            if reference in chain:
                return True
            chain[reference] = None
            target = _target(schema, reference)
            reference = target.get("$ref") if isinstance(target, dict) else None
        ending.update(chain)
    return False


def _references(schema: Any) -> Iterable[str]:
    rest = [schema]
    while rest:
        node = rest.pop()
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            rest += node.values()
        elif isinstance(node, list):
            rest += node


def _target(schema: Any, reference: str) -> Any:
    """What a reference within the schema points at, None for any other (RFC 6901)."""
    if not reference.startswith("#"):
        return None
    for step in unquote(reference[1:]).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        schema = schema.get(name) if isinstance(schema, dict) else None
    return schema
