"""What the files under deploy/ declare, as those read them who run them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "farthing"
_INSTRUCTION = re.compile(r"^(?P<name>[A-Z]+) (?P<rest>.*)$")


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
