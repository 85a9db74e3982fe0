"""What users can name, the documentation names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

import typer.main
from pydantic import BaseModel

from farthing.cli import PROGRAM
from farthing.domain import errors
from farthing.domain.errors import FarthingError
from farthing.http.routes import ROUTES
from farthing.settings.sections import (
    Document,
    ModelSettings,
    PlanSettings,
    ProviderSettings,
    ReportSettings,
    RouteSettings,
)
from farthing.telemetry.exposition import registry_of
from farthing.telemetry.prometheus import PrometheusSink
from tests.architecture.source import ROOT, package_modules


def page(name: str) -> str:
    """A document's text."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def missing(names: Iterable[str], text: str) -> list[str]:
    """Names that do not stand in code type anywhere in the text."""
    return sorted({name for name in names if f"`{name}`" not in text})


def settings_of(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The path of every setting in a section, in those of its own sections as well."""
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from settings_of(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def commands() -> Iterator[str]:
    """Every command, with its group."""
    program = typer.main.get_command(PROGRAM)
    for name, command in program.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", {})
        yield from [f"{name} {below}" for below in inner] or [name]


def codes() -> Iterator[str]:
    """Every code that an error of ours can bear."""
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, FarthingError) and kind.default_code:
            yield kind.default_code
    for module in package_modules():
        for node in module.nodes:
            if isinstance(node, ast.keyword) and node.arg == "code":
                constants = (part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant))
                yield from (value for value in constants if isinstance(value, str))


def test_every_route_is_told() -> None:
    """With its methods, once in a table of docs/api.md, and its policy beside it."""
    rows = [line for line in page("api.md").splitlines() if line.startswith("| `")]
    untold = [
        (method, route.path)
        for route in ROUTES
        for method in route.methods.split()
        if not any(
            re.search(rf"`{method} {re.escape(route.path.replace(':path', ''))}(\?[^`]*)?`", row)
            and f"| {route.policy.value} |" in row
            for row in rows
        )
    ]
    assert untold == []


def test_every_error_code_is_told() -> None:
    """Whoever meets one finds it in docs/api.md."""
    assert missing(codes(), page("api.md")) == []


def test_every_metric_is_told() -> None:
    """And docs/api.md names none that is not there."""
    sink = PrometheusSink("1")
    sink.watch_pools(dict)
    sink.watch_holds(int)
    sink.watch_load(lambda: ({}, 0.0))
    sink.watch_corrupt(dict)
    sink.watch_dropped(int)
    shown = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in registry_of(sink.figures()).collect()
        if not family.name.endswith("_created")
    }
    assert set(re.findall(r"^\| `(farthing_\w+)`", page("api.md"), re.MULTILINE)) == shown


def test_every_command_is_told() -> None:
    """By its whole name in docs/cli.md."""
    text = page("cli.md")
    assert [name for name in commands() if not re.search(rf"\b{name}\b", text)] == []


def test_every_setting_is_told() -> None:
    """By its path in docs/configuration.md; those of a plan, provider, model, route or report by the name within."""
    text = page("configuration.md")
    names = [
        name for name in settings_of(Document) if name not in {"plans", "providers", "models", "routes", "reports"}
    ]
    names += [
        name
        for section in (PlanSettings, ProviderSettings, ModelSettings, RouteSettings, ReportSettings)
        for name in settings_of(section)
    ]
    assert missing(names, text) == []
