"""What the demo's simulated models say: made from the request alone, so that the same question gets the same answer."""

from __future__ import annotations

from typing import Any, Literal
from zlib import crc32

import msgspec
from msgspec import Struct

from farthing.domain import judging
from farthing.domain.catalogue import Capability, Tier

ALL: frozenset[Capability] = frozenset({"tools", "images", "json", "reasoning"})
IMAGE_TOKENS = 250
MESSAGE_TOKENS = 4
MAX_ECHO = 80
MAX_DEPTH = 8
PIECE = 24
"""Characters of text in one event of a stream."""

SENTENCES = (
    "A real model would weigh your words here and answer in its own.",
    "This sentence only fills the place where an explanation would stand.",
    "Its length and its price follow your request, its content does not.",
    "Put a provider's key into the environment to hear from a real model.",
    "The routing, the cache and the ledger around this text are the real ones.",
    "Ask the same question again and it comes from the cache at no cost.",
    "Longer and harder questions go to a larger simulated model.",
    "Everything you see counted for this answer is counted as it would be in earnest.",
)


class DemoModel(Struct, frozen=True, kw_only=True):
    """A simulated model: prices in USD per million tokens, latencies in seconds."""

    name: str
    tier: Tier
    input_usd_per_mtok: float
    output_usd_per_mtok: float
    context_tokens: int
    max_output_tokens: int
    first_token_s: float
    token_s: float
    sentences: int
    """How many sentences an answer has."""
    capabilities: frozenset[Capability] = ALL


DEMO_MODELS = (
    DemoModel(
        name="demo/small",
        tier="simple",
        input_usd_per_mtok=0.1,
        output_usd_per_mtok=0.4,
        context_tokens=32_768,
        max_output_tokens=4_096,
        first_token_s=0.02,
        token_s=0.0005,
        sentences=1,
        capabilities=frozenset({"tools", "json"}),
    ),
    DemoModel(
        name="demo/medium",
        tier="moderate",
        input_usd_per_mtok=0.6,
        output_usd_per_mtok=2.4,
        context_tokens=131_072,
        max_output_tokens=8_192,
        first_token_s=0.06,
        token_s=0.001,
        sentences=3,
        capabilities=frozenset({"tools", "images", "json"}),
    ),
    DemoModel(
        name="demo/large",
        tier="complex",
        input_usd_per_mtok=3.0,
        output_usd_per_mtok=15.0,
        context_tokens=200_000,
        max_output_tokens=32_768,
        first_token_s=0.15,
        token_s=0.002,
        sentences=6,
    ),
)


class Asked(Struct):
    """The fields of a chat completion request that a simulation looks at."""

    model: str
    messages: list[dict[str, Any]]
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None
    reasoning_effort: str | None = None


class Said(Struct, frozen=True, kw_only=True):
    """One choice of a simulated answer; `tool` is name and arguments of the function it calls."""

    text: str = ""
    reasoning: str = ""
    tool: tuple[str, str] | None = None
    finish: Literal["stop", "length", "tool_calls"] = "stop"

    @property
    def tokens_out(self) -> int:
        """Tokens of everything said."""
        return tokens(self.text) + tokens(self.reasoning) + (tokens("".join(self.tool)) if self.tool else 0)


def tokens(text: str) -> int:
    """Four characters count as one token."""
    return (len(text) + 3) // 4


def tokens_in(asked: Asked) -> int:
    """Tokens of the messages, pictures at a flat rate, and of the tools."""
    total = tokens(msgspec.json.encode(asked.tools).decode()) if asked.tools else 0
    for message in asked.messages:
        total += MESSAGE_TOKENS + tokens(_text(message))
        content = message.get("content")
        if isinstance(content, list):
            total += IMAGE_TOKENS * sum(1 for part in content if part.get("type") == "image_url")
    return total


def answers(asked: Asked, model: DemoModel) -> list[Said]:
    """The choices of the answer."""
    return [_answer(asked, model, number) for number in range(asked.n or 1)]


def _answer(asked: Asked, model: DemoModel, number: int) -> Said:
    function = _required_function(asked)
    if function is not None:
        arguments = msgspec.json.encode(_sample(function.get("parameters"), 0)).decode()
        return Said(tool=(str(function.get("name")), arguments), finish="tool_calls")
    question = " ".join(_text(asked.messages[-1]).split()) if asked.messages else ""
    form = asked.response_format or {}
    if asked.messages and _text(asked.messages[0]) == judging.INSTRUCTIONS:
        text = _verdict(_text(asked.messages[-1]))
    elif form.get("type") == "json_schema":
        text = msgspec.json.encode(_sample(form.get("json_schema", {}).get("schema"), 0)).decode()
    elif form.get("type") == "json_object":
        text = msgspec.json.encode({"simulated": True, "model": model.name, "question": question[:MAX_ECHO]}).decode()
    else:
        text = _prose(question, model, number)
    thinks = asked.reasoning_effort not in {None, "none"}
    limit = min(asked.max_completion_tokens or asked.max_tokens or model.max_output_tokens, model.max_output_tokens)
    cut = text[: limit * 4]
    return Said(
        text=cut,
        reasoning="Simulated reasoning: there is nothing to think about." if thinks else "",
        finish="stop" if cut == text else "length",
    )


def _prose(question: str, model: DemoModel, number: int) -> str:
    echo = question if len(question) <= MAX_ECHO else question[: MAX_ECHO - 1] + "…"
    start = crc32(f"{number} {question}".encode("utf-8", "replace"))
    chosen = [SENTENCES[(start + step) % len(SENTENCES)] for step in range(model.sentences)]
    return " ".join([f"This is a simulated answer by Farthing's demo model {model.name} to “{echo}”.", *chosen])


def _verdict(document: str) -> str:
    """A judge's: the more sentences an answer has, the better it is."""
    shown = msgspec.json.decode(document, type=dict[str, str])
    grades = {place: min(5, 1 + shown[f"{place} answer"].count(". ")) for place in ("first", "second")}
    return msgspec.json.encode(grades).decode()


def _required_function(asked: Asked) -> dict[str, Any] | None:
    """The function that the request insists on."""
    functions = [tool["function"] for tool in asked.tools or () if isinstance(tool.get("function"), dict)]
    if asked.tool_choice == "required":
        return functions[0] if functions else None
    if isinstance(asked.tool_choice, dict):
        name = asked.tool_choice.get("function", {}).get("name")
        return next((function for function in functions if function.get("name") == name), None)
    return None


def _sample(schema: Any, depth: int) -> Any:  # noqa: ANN401 # a JSON value
    """A small value that fits a plain JSON Schema; references and combinations are not looked into."""
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return {}
    if schema.get("enum"):
        return schema["enum"][0]
    match schema.get("type"):
        case "string":
            return "simulated"
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "null":
            return None
        case "array":
            return [_sample(schema.get("items"), depth + 1)] if schema.get("minItems") else []
        case _:
            properties: dict[str, Any] = schema.get("properties") or {}
            names: list[str] = schema.get("required") or list(properties)
            return {name: _sample(properties.get(name), depth + 1) for name in names}


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
    return content if isinstance(content, str) else ""
