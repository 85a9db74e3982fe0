"""Bodies that are good JSON and ask for what cannot be (rows B28 to B37, B42, B44)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct

ABSENT: Any = UNSET
"""Stands for a field that is left out."""
USER = {"role": "user", "content": "x"}
MISSING, INVALID, TYPE, VALUE = "missing_required_parameter", "invalid_model", "invalid_type", "invalid_value"


class Wrong(Struct, frozen=True):
    """A good request with some fields changed, and how it must be refused. `param` None is not looked at."""

    row: str
    fields: Mapping[str, Any]
    code: str
    param: str

    def body(self, base: Mapping[str, Any]) -> bytes:
        """The request's bytes."""
        merged = {**base, **self.fields}
        return json.dumps({name: value for name, value in merged.items() if value is not ABSENT}).encode()


OPENAI = {"model": "small", "messages": [USER]}
ANTHROPIC = {"model": "small", "max_tokens": 9, "messages": [USER]}
COUNT = {"model": "small", "messages": [USER]}
RESPONSES = {"model": "small", "input": "x"}
NATIVE = {"prompt": "x"}
EMBEDDINGS = {"model": "small", "input": "x"}

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def _schema(schema: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}}


def _deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


def _tool(**function: Any) -> dict[str, Any]:
    return {"tools": [{**TOOL, "function": {**TOOL["function"], **function}}]}  # type: ignore[dict-item]


def _talk(*messages: Any) -> dict[str, Any]:
    return {"messages": [USER, USER, USER, *messages]}


def _picture(url: Any) -> dict[str, Any]:
    return _talk({"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": url}]})


def _source(kind: str, **source: Any) -> dict[str, Any]:
    return _talk({"role": "user", "content": [{"type": kind, "source": source}]})


PICTURE = "messages[3].content[1].image_url"
CANARIES = ("file:///etc/passwd", "http://169.254.169.254/latest", "http://127.0.0.1:9/a.png", "http://[::1]/", "x")
"""Addresses that nobody may be sent to for a picture."""

MODELS = [
    Wrong("B28 no model", {"model": ABSENT}, MISSING, "model"),
    Wrong("B28 null", {"model": None}, MISSING, "model"),
    Wrong("B28 empty", {"model": ""}, INVALID, "model"),
    Wrong("B28 300 characters", {"model": "m" * 300}, INVALID, "model"),
    Wrong("B28 number", {"model": 7}, INVALID, "model"),
    Wrong("B28 path", {"model": "../x"}, INVALID, "model"),
    Wrong("B28 line break", {"model": "a\r\nb"}, INVALID, "model"),
    Wrong("B28 emoji", {"model": "🙂"}, INVALID, "model"),
]

CHAT = [
    *MODELS,
    Wrong("B30 no messages", {"messages": ABSENT}, "invalid_messages", "messages"),
    Wrong("B30 none", {"messages": []}, "invalid_messages", "messages"),
    Wrong("B30 no list", {"messages": "x"}, "invalid_messages", "messages"),
    Wrong("B30 10,001", {"messages": [USER] * 10_001}, "invalid_messages", "messages"),
    Wrong("B31 role", _talk({"role": "alien", "content": "x"}), VALUE, "messages[3].role"),
    Wrong("B31 no role", _talk({"content": "x"}), MISSING, "messages[3].role"),
    Wrong("B31 number", _talk({"role": "user", "content": 5}), TYPE, "messages[3].content"),
    Wrong("B31 null", _talk({"role": "user", "content": None}), TYPE, "messages[3].content"),
    Wrong("B31 no content", _talk({"role": "user"}), MISSING, "messages[3].content"),
    Wrong("B31 text for a message", _talk("x"), TYPE, "messages[3]"),
    Wrong(
        "B31 part type",
        _talk({"role": "user", "content": [{"type": "alien"}]}),
        VALUE,
        "messages[3].content[0].type",
    ),
    Wrong(
        "B31 mixed parts",
        _talk({"role": "user", "content": [{"type": "text", "text": "x"}, "y"]}),
        TYPE,
        "messages[3].content[1]",
    ),
    Wrong(
        "B32 call without id",
        _talk({"role": "assistant", "tool_calls": [{k: v for k, v in CALL.items() if k != "id"}]}),
        MISSING,
        "messages[3].tool_calls[0].id",
    ),
    Wrong(
        "B32 result without a call",
        _talk({"role": "tool", "tool_call_id": "nobody", "content": "x"}),
        VALUE,
        "messages[3].tool_call_id",
    ),
    Wrong("B32 1,000 tools", {"tools": [TOOL] * 1000}, VALUE, "tools"),
    Wrong("B32 1 MB schema", _tool(parameters={"description": "x" * 1_000_000}), VALUE, "tools[0].function.parameters"),
    Wrong(
        "B32 endless reference",
        _tool(parameters={"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
        VALUE,
        "tools[0].function.parameters",
    ),
    *(Wrong(f"B33 temperature {value}", {"temperature": value}, VALUE, "temperature") for value in (-1, 3)),
    *(Wrong(f"B33 temperature {value!r}", {"temperature": value}, TYPE, "temperature") for value in ("1", True)),
    *(Wrong(f"B33 top_p {value}", {"top_p": value}, VALUE, "top_p") for value in (-1, 1.5)),
    *(Wrong(f"B33 n {value}", {"n": value}, VALUE, "n") for value in (0, -1, 129)),
    *(Wrong(f"B33 max_tokens {value}", {"max_tokens": value}, VALUE, "max_tokens") for value in (0, -1, 10**12)),
    Wrong("B33 max_tokens 1.5", {"max_tokens": 1.5}, TYPE, "max_tokens"),
    Wrong("B33 top_logprobs alone", {"top_logprobs": 3}, VALUE, "top_logprobs"),
    Wrong("B33 five stops", {"stop": ["x"] * 5}, VALUE, "stop"),
    Wrong("B33 seed 2^70", {"seed": 2**70}, VALUE, "seed"),
    Wrong("B33 two limits", {"max_tokens": 9, "max_completion_tokens": 9}, VALUE, "max_completion_tokens"),
    Wrong("B33 top_logprobs 21", {"logprobs": True, "top_logprobs": 21}, VALUE, "top_logprobs"),
    Wrong("B33 logprobs text", {"logprobs": "yes"}, TYPE, "logprobs"),
    Wrong("B33 stop of numbers", {"stop": [1]}, TYPE, "stop[0]"),
    Wrong("B33 seed text", {"seed": "1"}, TYPE, "seed"),
    Wrong("B33 penalty", {"frequency_penalty": 3}, VALUE, "frequency_penalty"),
    Wrong("B33 bias", {"logit_bias": {"1": 101}}, VALUE, "logit_bias"),
    Wrong("B34 text", {"stream": "yes"}, TYPE, "stream"),
    Wrong("B34 number", {"stream": 1}, TYPE, "stream"),
    Wrong("B34 options alone", {"stream_options": {"include_usage": True}}, VALUE, "stream"),
    Wrong("B35 unknown", {"response_format": {"type": "alien"}}, VALUE, "response_format"),
    Wrong("B35 no schema", {"response_format": {"type": "json_schema"}}, MISSING, "response_format"),
    Wrong("B35 schema type", _schema({"type": "alien"}), VALUE, "response_format"),
    Wrong("B35 no object", _schema([]), TYPE, "response_format"),
    Wrong("B35 40 levels", _schema(_deep(40)), VALUE, "response_format"),
    Wrong("B35 exploding pattern", _schema({"type": "string", "pattern": "^(a+)+$"}), VALUE, "response_format"),
    Wrong("B37 user of 65 KiB", {"user": "u" * 65 * 1024}, VALUE, "user"),
    Wrong("B37 user", {"user": {"name": "x"}}, TYPE, "user"),
    Wrong("B37 17 keys", {"metadata": {f"k{n}": "x" for n in range(17)}}, VALUE, "metadata"),
    Wrong("B37 nested", {"metadata": {"a": {"b": "c"}}}, TYPE, "metadata"),
    Wrong("B37 list", {"metadata": ["a"]}, TYPE, "metadata"),
    Wrong("B37 65 KiB", {"metadata": {"a": "x" * 65 * 1024}}, VALUE, "metadata"),
    Wrong("B37 long key", {"metadata": {"k" * 65: "x"}}, VALUE, "metadata"),
    Wrong("B37 class", {"metadata": {"__class__": "x"}}, VALUE, "metadata"),
    Wrong("B37 line break", {"metadata": {"a\nb": "x"}}, VALUE, "metadata"),
    *(Wrong(f"B42 {url}", _picture({"url": url}), "url_not_allowed", f"{PICTURE}.url") for url in CANARIES),
    Wrong("B42 bare", _picture(CANARIES[0]), "url_not_allowed", PICTURE),
    Wrong("B42 no url", _picture({}), MISSING, f"{PICTURE}.url"),
    Wrong("B42 base64", _picture({"url": "data:image/png;base64,%%%"}), "invalid_image", f"{PICTURE}.url"),
    Wrong("B42 cut off", _picture({"url": "data:image/png;base64,AAAAA"}), "invalid_image", f"{PICTURE}.url"),
    Wrong("B42 svg", _picture({"url": "data:image/svg+xml;base64,PHN2Zz4="}), "invalid_image", f"{PICTURE}.url"),
    Wrong("B42 text", _picture({"url": "data:text/html;base64,PHN2Zz4="}), "invalid_image", f"{PICTURE}.url"),
    Wrong("B42 not base64", _picture({"url": "data:image/png,x"}), "invalid_image", f"{PICTURE}.url"),
    Wrong(
        "B42 30 MB", _picture({"url": f"data:image/png;base64,{'A' * 30_000_000}"}), "invalid_image", f"{PICTURE}.url"
    ),
]

TOO_DEEP = Wrong("B35 500 levels", _schema(_deep(500)), "json_too_deep", "")
"""Beyond the bound of all JSON, so no field is named."""

MESSAGES = [
    *MODELS,
    Wrong("B30 no messages", {"messages": ABSENT}, "", "messages"),
    Wrong("B30 none", {"messages": []}, "", "messages"),
    Wrong("B30 no list", {"messages": "x"}, "", "messages"),
    Wrong("B30 10,001", {"messages": [USER] * 10_001}, "", "messages"),
    Wrong("B31 role", _talk({"role": "alien", "content": "x"}), "", "messages[3].role"),
    Wrong("B31 number", _talk({"role": "user", "content": 5}), "", "messages[3].content"),
    Wrong("B31 null", _talk({"role": "user", "content": None}), "", "messages[3].content"),
    Wrong("B31 part type", _talk({"role": "user", "content": [{"type": "<a>"}]}), "", "messages[3].content[0].type"),
    Wrong("B31 mixed parts", _talk({"role": "user", "content": ["y"]}), "", "messages[3].content[0]"),
    Wrong(
        "B32 call without id",
        _talk({"role": "assistant", "content": [{"type": "tool_use", "name": "f", "input": {}}]}),
        "",
        "messages[3].content[0].id",
    ),
    Wrong(
        "B32 result without a call",
        _talk({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "nobody", "content": "x"}]}),
        "",
        "messages[3].content[0].tool_use_id",
    ),
    Wrong("B32 1,000 tools", {"tools": [{"name": "f", "input_schema": {}}] * 1000}, "", "tools"),
    Wrong(
        "B32 1 MB schema",
        {"tools": [{"name": "f", "input_schema": {"description": "x" * 1_000_000}}]},
        "",
        "tools[0].input_schema",
    ),
    *(Wrong(f"B33 temperature {value!r}", {"temperature": value}, "", "temperature") for value in (-1, 3, "1", True)),
    *(Wrong(f"B33 top_p {value}", {"top_p": value}, "", "top_p") for value in (-1, 1.5)),
    *(Wrong(f"B33 max_tokens {v}", {"max_tokens": v}, "", "max_tokens") for v in (0, -1, 1.5, 10**12, ABSENT)),
    Wrong("B34 text", {"stream": "yes"}, "", "stream"),
    Wrong("B34 number", {"stream": 1}, "", "stream"),
    Wrong(
        "B35 exploding pattern",
        {"output_config": {"format": {"type": "json_schema", "schema": {"pattern": "^(a+)+$"}}}},
        "",
        "output_config.format.schema",
    ),
    Wrong("B37 user", {"metadata": {"user_id": "u" * 65 * 1024}}, "", "metadata.user_id"),
    Wrong("B37 more", {"metadata": {"user_id": "u", "__class__": "x"}}, "", "metadata"),
    Wrong("B37 nested", {"metadata": {"user_id": {"a": "b"}}}, "", "metadata.user_id"),
    *(
        Wrong(f"B42 {kind} {url}", _source(kind, type="url", url=url), "", "messages[3].content[0].source.url")
        for kind in ("image", "document")
        for url in CANARIES
    ),
    *(
        Wrong(
            f"B42 {kind} {data}",
            _source("image", type="base64", media_type=kind, data=data),
            "",
            "messages[3].content[0].source.data",
        )
        for kind, data in (("image/png", "%%%"), ("image/svg+xml", "AAAA"), ("text/html", "AAAA"))
    ),
]
"""The same for Anthropic's dialect, whose envelope has neither code nor param: the message names the field."""

PROMPTS = [
    Wrong("no prompt", {"prompt": ABSENT}, MISSING, "prompt"),
    Wrong("empty", {"prompt": ""}, VALUE, "prompt"),
    Wrong("number", {"prompt": 7}, TYPE, "prompt"),
    Wrong("limit", {"max_tokens": 10_001}, VALUE, "max_tokens"),
    Wrong("limit of nothing", {"max_tokens": 0}, VALUE, "max_tokens"),
    Wrong("switch", {"auto_route": "yes"}, TYPE, "auto_route"),
    Wrong("experiment without a user", {"experiment_id": "e"}, MISSING, "user_id"),
]
"""The native route's."""

INPUTS = [
    *MODELS,
    Wrong("B44 empty", {"input": ""}, VALUE, "input"),
    Wrong("B44 none", {"input": []}, VALUE, "input"),
    Wrong("B44 2,049", {"input": ["x"] * 2049}, VALUE, "input"),
    Wrong("B44 negative token", {"input": [-1]}, VALUE, "input"),
    Wrong("B44 mixed", {"input": ["x", 1]}, VALUE, "input"),
    Wrong("B44 absent", {"input": ABSENT}, MISSING, "input"),
    Wrong("B44 number", {"input": 1}, VALUE, "input"),
    Wrong("B44 empty among others", {"input": ["x", ""]}, VALUE, "input"),
    Wrong("B44 no tokens", {"input": [[]]}, VALUE, "input"),
    Wrong("B44 format", {"encoding_format": "int8"}, VALUE, "encoding_format"),
    Wrong("B44 dimensions text", {"dimensions": "9"}, TYPE, "dimensions"),
    Wrong("B44 dimensions", {"dimensions": 0}, VALUE, "dimensions"),
]
"""The embeddings route's."""
