"""The import contracts name every package they are about."""

import tomllib
from typing import Any

from tests.architecture.source import ROOT

ADAPTERS = {"providers", "cache", "embeddings", "identity", "store", "telemetry", "notify", "reports"}


def contract(identifier: str) -> dict[str, Any]:
    """The import contract with this id in pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return next(found for found in settings["tool"]["importlinter"]["contracts"] if found["id"] == identifier)


def test_http_is_kept_from_every_adapter() -> None:
    """A new adapter is added to the contract that keeps the HTTP interface from importing it."""
    present = {f"farthing.{name}" for name in ADAPTERS if (ROOT / "src/farthing" / name / "__init__.py").exists()}
    assert set(contract("http")["forbidden_modules"]) == present


def test_layers_are_exhaustive() -> None:
    """A new top-level package fails the build until somebody has placed it."""
    assert contract("layers")["exhaustive"] is True
