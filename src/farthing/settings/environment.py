"""The process environment: the only place that reads or writes it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from pydantic import SecretStr

from farthing.settings.mistakes import Mistake, SettingsError

PREFIX = "FARTHING_"
CONFIG = "FARTHING_CONFIG"
MASTER_KEY = "FARTHING_MASTER_KEY"
ENCRYPTION_KEY = "FARTHING_ENCRYPTION_KEY"
DEMO = "FARTHING_DEMO"
URL = "FARTHING_URL"

ALIASES = {
    "DATABASE_URL": ("database", "url"),
    "REDIS_URL": ("redis", "url"),
    "PORT": ("server", "port"),
}
"""Names that platforms set by themselves. The same setting under its own FARTHING_… name wins over them."""


LISTS = {("models",), ("routes",), ("reports",)}
"""Settings that are in no section."""
STRUCTURED = {"models", "routes", "reports", "headers", "email_to", "admins", "roles"}
"""Settings that are lists or tables: JSON in the environment."""


class Variable(Struct, frozen=True):
    """A setting made by the environment: the variable's name, the setting it makes, and its value."""

    name: str
    place: tuple[str, ...]
    value: Any


def process_environment() -> Mapping[str, str]:
    """What this process was started with, and what `export` added."""
    return dict(os.environ)


def export(values: Mapping[str, str]) -> None:
    """Hands settings on to this process's later `load` and to its worker processes."""
    os.environ.update(values)


def variables(environ: Mapping[str, str]) -> list[Variable]:
    """The settings that the environment makes, the ones that win last. An empty variable counts as not set.

    Raises `SettingsError` for JSON that is none.
    """
    aliases = [Variable(name, place, environ[name]) for name, place in ALIASES.items() if environ.get(name)]
    own = []
    for name, value in sorted(environ.items()):
        place = tuple(name.removeprefix(PREFIX).lower().split("__"))
        # One underscore alone makes no setting: Kubernetes sets FARTHING_PORT and more for a service of this name.
        if name.startswith(PREFIX) and value and (len(place) > 1 or place in LISTS):
            own.append(Variable(name, place, _structured(name, value) if place[-1] in STRUCTURED else value))
    return aliases + own


def _structured(name: str, value: str) -> Any:  # noqa: ANN401 (JSON)
    try:
        return json.loads(value)
    except ValueError as error:
        raise SettingsError([Mistake(name, "", f"expected JSON: {error}")]) from error


def data_dir(environ: Mapping[str, str]) -> Path:
    """The user's folder for the embedded database and the journal."""
    if base := environ.get("XDG_DATA_HOME"):
        return Path(base) / "farthing"
    home = environ.get("HOME")
    return (Path(home) if home else Path.home()) / ".local" / "share" / "farthing"


def secret_in(names: Sequence[str], environ: Mapping[str, str]) -> SecretStr | None:
    """What the first of the variables holds that holds something."""
    return next((SecretStr(value) for name in names if (value := environ.get(name, "").strip())), None)
