"""The program as a whole."""

import subprocess
import sys

import pytest

from tests.servers.command import Farthing

GROUPS = {
    "budgets": ["create", "list", "set", "delete"],
    "credentials": ["set", "list", "delete", "reseal"],
    "experiments": ["plan", "start", "create", "list", "show", "ramp", "stop", "results"],
    "eval": ["routing"],
    "keys": ["create", "list", "revoke"],
    "learning": ["status", "retrain", "rollback"],
    "tenants": ["create", "list", "set"],
}
SINGLE = {
    *("serve", "demo", "migrate", "doctor", "spend", "savings", "why", "top", "report", "replay", "reprice"),
    *("reconcile", "invoice"),
}
COMMANDS = {*GROUPS, *SINGLE}
CALLS = sorted([*SINGLE, *(f"{group} {name}" for group, names in GROUPS.items() for name in names)])
HEAVY = {"asyncio", "fastapi", "genai_prices", "msgspec", "pydantic", "rich", "sqlalchemy", "uvicorn"}


def test_help_names_every_command(farthing: Farthing) -> None:
    """Whoever asks for help sees what there is."""
    said = farthing("--help")
    assert said.status == 0
    listed = said.out.partition("Commands:\n")[2].splitlines()
    assert {line.split()[0] for line in listed} == COMMANDS
    assert [line for line in listed if "..." in line] == []


@pytest.mark.parametrize("command", CALLS)
def test_every_command_has_json(farthing: Farthing, command: str) -> None:
    """Programs can read whatever a command answers."""
    assert "--json" in farthing(*command.split(), "--help").out


def test_the_version_is_the_packages(farthing: Farthing) -> None:
    """`--version` answers and does nothing else."""
    said = farthing("--version")
    assert (said.status, said.out) == (0, "0.1.0\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("serv", "farthing: No such command 'serv'. Did you mean 'serve'? (farthing --help)\n"),
        ("serve --zebra 1", "farthing: No such option: --zebra (farthing --help)\n"),
        ("keys create", "farthing: Missing argument 'name' (farthing --help)\n"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(farthing: Farthing, arguments: str, message: str) -> None:
    """What was wrong, where help is, and status 2."""
    said = farthing(*arguments.split())
    assert (said.status, said.out, said.err) == (2, "", message)


@pytest.mark.parametrize("command", ["serve", "demo", "migrate", "spend", "savings", "why x", "keys list"])
def test_a_broken_configuration_is_told_in_one_line(farthing: Farthing, command: str) -> None:
    """Whichever command meets it names place and expectation, and ends with status 1."""
    said = farthing(*command.split(), FARTHING_SERVER__PORT="x")
    assert (said.status, said.out) == (1, "")
    assert said.err == 'farthing: FARTHING_SERVER__PORT: server.port: expected a whole number, got "x"\n'


def test_a_group_without_command_shows_its_help(farthing: Farthing) -> None:
    """`farthing keys` alone explains itself."""
    said = farthing("keys")
    assert said.status == 2
    assert said.err.startswith("Usage: farthing keys [OPTIONS] COMMAND [ARGS]...\n")


def test_help_imports_nothing_heavy() -> None:
    """The program starts at once: what a command needs is loaded when it runs."""
    code = "import sys, farthing.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert HEAVY & set(loaded) == set()
