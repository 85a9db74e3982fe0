"""What the vendors behind the gateway say in the tests of the released clients, independent of any dialect."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec

Vendor = Literal["openai", "anthropic"]
VENDORS: tuple[Vendor, ...] = ("openai", "anthropic")

CITY_TOOL = "get_weather"
CALL_ID = "call_weather_1"
TOKENS_IN, CACHED_IN, TOKENS_OUT = 24, 8, 11
"""What every answer is reported to have used; the cached tokens are part of those read."""


class Script(msgspec.Struct, frozen=True):
    """An answer: text, or a tool call, or a refusal with a status; `breaks` ends its stream in an error."""

    text: str = ""
    arguments: dict[str, Any] | None = None
    status: int = 200
    breaks: bool = False

    @property
    def pieces(self) -> tuple[str, str]:
        """The text or the arguments as a stream sends them, cut in the middle of a word."""
        whole = self.text if self.arguments is None else json.dumps(self.arguments)
        return whole[:7], whole[7:]


PLAIN = Script("Grüße from the vendor.")
SCRIPTS = {
    "plain": PLAIN,
    "tools": Script(arguments={"city": "Zürich"}),
    "json": Script('{"name": "Ada", "age": 36}'),
    "breaks": Script(PLAIN.text, breaks=True),
    "rejects": Script("max_tokens is over the limit of this model", status=400),
    "unauthorized": Script("invalid key sk-vendor-secret", status=401),
    "limits": Script("slow down", status=429),
    "overloaded": Script("try later", status=529),
}
EMBEDDINGS: tuple[Vendor, str] = ("openai", "embeds")
NATIVE = "native-plain"
"""A model whose vendor answers the Responses API itself."""
COUNTED = 42
"""Tokens that Anthropic counts in any request."""
AFTER_TOOL = Script("18 degrees in Zürich.")


def model(vendor: Vendor, script: str) -> str:
    """The name under which the gateway offers a vendor's script."""
    return f"{vendor}-{script}"


def upstream(vendor: Vendor, script: str) -> str:
    """What the vendor itself calls it; of Anthropic's models, those since Claude 4.5 can be held to a JSON schema."""
    return f"claude-sonnet-4-5-{script}" if vendor == "anthropic" else script


VENDOR_KEY = "sk-vendor-secret"


class Asked(msgspec.Struct, frozen=True):
    """A request that reached a vendor."""

    path: str
    key: str | None
    body: dict[str, Any]


def settings(url: str) -> str:
    """farthing.toml with both vendors, each script a model, and one model for embeddings."""
    scripts = [(vendor, script) for vendor in VENDORS for script in SCRIPTS]
    models = [
        f"""
        [[models]]
        name = "{model(vendor, script)}"
        provider = "the-{vendor}"
        upstream = "{upstream(vendor, script)}"
        tier = "moderate"
        input_usd_per_mtok = 1.0
        output_usd_per_mtok = 2.0
        capabilities = ["tools", "json", "images", "reasoning"]
        """
        for vendor, script in [*scripts, EMBEDDINGS]
    ]
    return f"""
        [[models]]
        name = "{NATIVE}"
        provider = "the-native"
        upstream = "plain"
        input_usd_per_mtok = 1.0
        output_usd_per_mtok = 2.0
        [providers.the-native]
        dialect = "openai"
        responses = true
        base_url = "{url}/openai/v1"
        api_key_env = "TEST_VENDOR_KEY"
        [routing]
        baseline = "openai-plain"
        hold_back = 0
        [providers.the-openai]
        dialect = "openai"
        base_url = "{url}/openai/v1"
        api_key_env = "TEST_VENDOR_KEY"
        [providers.the-anthropic]
        dialect = "anthropic"
        base_url = "{url}/anthropic"
        api_key_env = "TEST_VENDOR_KEY"
        {"".join(models)}
    """
