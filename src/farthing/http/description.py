"""What can be asked here, told to programs in OpenAPI's form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from fastapi import Request

from farthing.dialects.anthropic.wire import CountRequest, MessagesRequest
from farthing.dialects.native import NativeRequest
from farthing.dialects.openai.embeddings import WiredEmbeddings
from farthing.dialects.openai.responses.wire import ResponsesRequest
from farthing.dialects.openai.wire import WiredRequest
from farthing.dialects.strict import MAX_MODEL
from farthing.http.desk import HOT
from farthing.http.probes import PROBES

BODIES: Mapping[str, type[Any]] = {
    "openai": WiredRequest,
    "anthropic": MessagesRequest,
    "embeddings": WiredEmbeddings,
    "native": NativeRequest,
    "responses": ResponsesRequest,
    "count_tokens": CountRequest,
}
STREAMED = frozenset({"openai", "anthropic", "responses"})
ANTHROPICS = frozenset({"anthropic", "count_tokens"})
"""What each dialect's requests are checked against: the description cannot say anything else."""
_REFERENCE = "#/components/schemas/{name}"
_MODEL = {"type": "string", "minLength": 1, "maxLength": MAX_MODEL}
_TEXT_OR_NONE = {"type": ["string", "null"]}
_ERROR_FIELDS = {"message": {"type": "string"}, "type": {"type": "string"}}
_ERRORS = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {**_ERROR_FIELDS, "param": _TEXT_OR_NONE, "code": _TEXT_OR_NONE},
            }
        },
    },
    "AnthropicError": {
        "type": "object",
        "required": ["type", "error", "request_id"],
        "properties": {
            "type": {"const": "error"},
            "error": {"type": "object", "required": ["message", "type"], "properties": _ERROR_FIELDS},
            "request_id": {"type": "string"},
        },
    },
}


async def description(request: Request) -> dict[str, Any]:
    """Every route with what it takes and how it refuses."""
    described = request.app.openapi()
    hot_schemas, components = msgspec.json.schema_components(BODIES.values(), ref_template=_REFERENCE)
    schemas = dict(zip(BODIES, hot_schemas, strict=True))
    hot = {path: {"post": _hot(dialect, schemas[dialect])} for path, dialect in HOT.items()}
    probes = {path: {"get": _probe(path)} for path in PROBES}
    rest = dict(_with_errors(described["paths"]))
    known = {**described.get("components", {}).get("schemas", {}), **_with_models(components), **_ERRORS}
    return {**described, "paths": {**hot, **rest, **probes}, "components": {"schemas": known}}


def _with_models(components: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas, those of requests whose model is checked on its own with that model."""
    found = dict(components)
    for name in (WiredRequest.__name__, WiredEmbeddings.__name__, ResponsesRequest.__name__):
        schema = found[name]
        found[name] = {
            **schema,
            "properties": {"model": _MODEL, **schema["properties"]},
            "required": ["model", *schema.get("required", ())],
        }
    return found


def _with_errors(paths: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The paths, their operations refusing what they do not take as all routes do and not as FastAPI would."""
    for path, operations in paths.items():
        yield (
            path,
            {
                method: {
                    **operation,
                    "responses": {
                        **{status: answer for status, answer in operation["responses"].items() if status != "422"},
                        "default": _refusal("Error"),
                    },
                }
                for method, operation in operations.items()
            },
        )


def _refusal(schema: str) -> dict[str, Any]:
    reference = {"$ref": _REFERENCE.format(name=schema)}
    return {"description": "A refusal", "content": {"application/json": {"schema": reference}}}


def _hot(dialect: str, schema: Any) -> dict[str, Any]:  # noqa: ANN401 (a JSON Schema)
    answer: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
    if dialect in STREAMED:
        answer["text/event-stream"] = {"schema": {"type": "string"}}
    return {
        "summary": f"A request in the {dialect} dialect",
        "operationId": f"ask_{dialect}",
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "200": {"description": "The answer, whole or as a stream", "content": answer},
            "default": _refusal("AnthropicError" if dialect in ANTHROPICS else "Error"),
        },
    }


def _probe(path: str) -> dict[str, Any]:
    name = path.removeprefix("/")
    responses = {"200": {"description": "Yes"}, "503": {"description": "No"}}
    return {"summary": name.capitalize(), "operationId": name, "responses": responses}
