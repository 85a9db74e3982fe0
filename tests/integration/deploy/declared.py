"""What the files under deploy/ declare, as those read them who run them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "farthing"
_VARIABLE = re.compile(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}")
_INSTRUCTION = re.compile(r"^(?P<name>[A-Z]+) (?P<rest>.*)$")


class NotSet(Exception):
    """A variable that has to be set is not; the message says what the file asks for."""


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """The text with variables filled in as Compose does. Raises `NotSet`."""

    def value(match: re.Match[str]) -> str:
        name, kind, word = match.groups()
        found = variables.get(name, "")
        if found:
            return found
        if kind == ":?":
            raise NotSet(f"{name}: {word}")
        return word or ""

    return _VARIABLE.sub(value, text)


def compose(variables: Mapping[str, str]) -> dict[str, Any]:
    """compose.yaml with these variables. Raises `NotSet`."""
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    declared: dict[str, Any] = yaml.safe_load(interpolated("\n".join(lines), variables))
    return declared


def full(variables: Mapping[str, str]) -> dict[str, str]:
    """What full.env adds to these variables. Raises `NotSet`."""
    lines = (DEPLOY / "full.env").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {**variables, **{name: interpolated(value, variables) for name, _, value in pairs}}


def instructions(path: Path) -> list[tuple[str, str]]:
    """A Dockerfile's instructions in order, continued lines joined."""
    joined = path.read_text(encoding="utf-8").replace("\\\n", " ")
    found = (_INSTRUCTION.match(line) for line in joined.splitlines() if not line.startswith("#"))
    return [(match["name"], " ".join(match["rest"].split())) for match in found if match]


def image() -> list[tuple[str, str]]:
    """What the last stage of our own image says."""
    said = instructions(DEPLOY / "Dockerfile")
    last = max(place for place, (name, _) in enumerate(said) if name == "FROM")
    return said[last:]


def image_environment() -> dict[str, str]:
    """The variables that the image sets."""
    pairs = [pair.partition("=") for name, rest in image() if name == "ENV" for pair in rest.split()]
    return {name: value for name, _, value in pairs}


def image_command(name: str) -> list[str]:
    """`ENTRYPOINT`, `CMD` or `HEALTHCHECK`'s command, which must be in the form that needs no shell."""
    rest = next(rest for said, rest in image() if said == name)
    words: list[str] = json.loads(rest[rest.index("[") :])
    return words


def values() -> dict[str, Any]:
    """The chart's defaults."""
    found: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    return found


def templates() -> dict[str, str]:
    """The chart's templates by name."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((CHART / "templates").iterdir())}
