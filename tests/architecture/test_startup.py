"""What a start loads: a library that joins shows here first, not in the next release's time to ready and memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("farthing")
SETTINGS = """
[providers.local]
dialect = "openai"
base_url = "http://127.0.0.1:9/v1"

[[models]]
name = "small"
provider = "local"
input_usd_per_mtok = 1
output_usd_per_mtok = 2
"""
MARK = "import time:"

HELP = {
    "annotated_doc": "typer",
    "shellingham": "typer",
    "typer": "reads the command line",
}
"""Packages that `farthing --help` loads, each with its reason."""
SERVE = HELP | {
    "aiosqlite": "the embedded database; PostgreSQL's driver takes its place where that is used",
    "annotated_types": "pydantic",
    "click": "uvicorn",
    "greenlet": "SQLAlchemy awaits inside greenlets",
    "httptools": "parses HTTP both ways",
    "msgspec": "values and JSON",
    "pydantic": "settings: every mistake of a file at once, in words for people",
    "pydantic_core": "pydantic",
    "sqlalchemy": "keys and budgets are read before the first request is let in",
    "typing_extensions": "pydantic and msgspec",
    "typing_inspection": "pydantic",
    "uvicorn": "the server",
    "uvloop": "the loop",
    "websockets": "uvicorn's protocol for WebSockets",
}
"""Packages that `farthing serve` loads before it is ready, each with its reason."""

HEAVY = {
    "asyncio",
    "csv",
    "ctypes",
    "doctest",
    "email",
    "http.client",
    "http.server",
    "importlib.metadata",
    "logging",
    "multiprocessing",
    "pdb",
    "pydoc",
    "sqlite3",
    "ssl",
    "tomllib",
    "unittest",
    "urllib.request",
    "wsgiref",
    "xml",
    "zipfile",
}
"""Parts of the standard library that take milliseconds, or bring others along."""
HEAVY_IN_SERVE = {
    "asyncio": "the gateway",
    "csv": "importlib.metadata",
    "email": "importlib.metadata",
    "importlib.metadata": "pydantic looks for plug-ins, the banner tells the version",
    "logging": "the log",
    "multiprocessing": "uvicorn, for more than one worker",
    "sqlite3": "the embedded database",
    "ssl": "providers are reached over TLS",
    "tomllib": "farthing.toml and providers.toml",
    "zipfile": "importlib.metadata",
}
"""Those of them that `farthing serve` loads before it is ready, each with its reason."""

LATE = {
    "farthing.dashboard": "the page, when it is asked for",
    "farthing.http.application": "FastAPI, when a route that is not hot is asked for",
    "farthing.http.routes": "as FastAPI",
    "farthing.store.backends.postgres": "where the ledger is in PostgreSQL",
    "farthing.telemetry.exposition": "prometheus_client, at the first scrape",
    "sqlalchemy.dialects.postgresql": "where the ledger is in PostgreSQL",
}
"""Modules that `farthing serve` does not load before it is ready, and what they are loaded for."""

HOT = (
    "farthing.gateway.pipeline",
    "farthing.gateway.snapshot",
    "farthing.http.front",
    "farthing.http.hot",
    "farthing.http.lane",
    "farthing.http.offpath",
    "farthing.money.bookkeeper",
    "farthing.money.ledger",
    "farthing.cache.memory",
    "farthing.cache.tiered",
    "farthing.providers.transport",
    "farthing.telemetry.logs",
    "farthing.telemetry.prometheus",
)
"""The modules that a request passes through."""
HOT_PACKAGES = {
    "click": "uvicorn",
    "httptools": "parses HTTP both ways",
    "msgspec": "values and JSON",
    "typing_extensions": "msgspec",
    "uvicorn": "the server's protocol, of which the fast lane is a part",
}
"""All that they load: no database, no settings, no terminal, no framework."""

ADVICE = (
    "import it inside the function that needs it, or add a line with the reason in tests/architecture/test_startup.py"
)


def loaded(importtime: str) -> set[str]:
    """Modules in what `-X importtime` tells."""
    lines = (line for line in importtime.splitlines() if line.startswith(MARK) and "[us]" not in line)
    return {line.rpartition("|")[2].strip() for line in lines}


def packages(names: Iterable[str]) -> set[str]:
    """Of these modules' top-level packages those that others have made; what was looked for in vain does not count."""
    installed = packages_distributions().keys() - {"farthing"}
    return {top for top in {name.partition(".")[0] for name in names} if top in installed}


def stray(found: Iterable[str], allowed: Iterable[str]) -> str:
    """What is to be done about modules that are not allowed; nothing where all are."""
    more = sorted(set(found) - set(allowed))
    return f"{', '.join(more)} joined the start: {ADVICE}" if more else ""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration and a database whose schema is up to date, as at all starts but the first."""
    folder = tmp_path_factory.mktemp("start")
    (folder / "farthing.toml").write_text(SETTINGS)
    subprocess.run([PROGRAM, "migrate"], cwd=folder, env=environment(folder), check=True, stdout=subprocess.DEVNULL)
    return folder


def environment(home: Path) -> dict[str, str]:
    """Nothing of this machine's own settings."""
    return {"PATH": os.environ["PATH"], "HOME": str(home)}


def told(home: Path, *command: str | Path) -> str:
    """What a command says of its imports."""
    watched = environment(home) | {"PYTHONPROFILEIMPORTTIME": "1"}
    return subprocess.run(command, cwd=home, env=watched, capture_output=True, text=True, check=True).stderr


@pytest.fixture(scope="module")
def bare(home: Path) -> set[str]:
    """What Python itself loads here."""
    return loaded(told(home, sys.executable, "-c", "pass"))


@pytest.fixture(scope="module")
def serve(home: Path, bare: set[str]) -> set[str]:
    """What `farthing serve` loads until it says that it is ready."""
    said: list[str] = []
    with subprocess.Popen(
        [PROGRAM, "serve", "--port", "0", "--json"],
        cwd=home,
        env=environment(home) | {"PYTHONPROFILEIMPORTTIME": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if line.startswith("{"):
                break
        process.send_signal(signal.SIGTERM)
        said.append(process.stdout.read())
    assert '"status": "ready"' in said[-2], "".join(said)[-2000:]
    return loaded("".join(said[:-1])) - bare


def test_help_loads_little(home: Path, bare: set[str]) -> None:
    """Commands import what they need when they run."""
    found = loaded(told(home, PROGRAM, "--help")) - bare
    assert stray(packages(found), HELP) == ""
    assert stray(found & HEAVY, set()) == ""
    assert packages(found) == set(HELP), "a package has left the start: take it off the list"
    ours = {name for name in found if name.startswith("farthing.")}
    assert {name for name in ours if not name.startswith("farthing.cli")} == set()


def test_serve_loads_what_is_listed(serve: set[str]) -> None:
    """Until it is ready; a library that only some need is loaded when they do."""
    assert stray(packages(serve), SERVE) == ""
    assert stray(serve & HEAVY, HEAVY_IN_SERVE) == ""
    assert packages(serve) == set(SERVE), "a package has left the start: take it off the list"


def test_what_only_some_need_is_loaded_late(serve: set[str]) -> None:
    """Within our own code and within libraries as well."""
    assert stray(serve & set(LATE), set()) == ""


def test_the_request_path_needs_no_framework(home: Path, bare: set[str]) -> None:
    """Whatever the rest of the program has loaded."""
    imports = "; ".join(f"import {name}" for name in HOT)
    found = loaded(told(home, sys.executable, "-c", imports)) - bare
    assert stray(packages(found), HOT_PACKAGES) == ""


def test_a_newcomer_is_named_with_what_to_do() -> None:
    """And who is on the list is not."""
    lines = [
        f"{MARK} self [us] | cumulative | imported package",
        f"{MARK}  9 |  9 |   typer",
        f"{MARK}  9 |  9 | pytest.x",
    ]
    assert loaded("\n".join([*lines, "anything else"])) == {"typer", "pytest.x"}
    assert packages(["typer.main", "pytest.x", "json", "never_installed"]) == {"typer", "pytest"}
    assert stray({"typer"}, HELP) == ""
    assert stray({"typer", "pytest"}, HELP).startswith("pytest joined the start: import it inside the function")
