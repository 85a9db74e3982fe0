"""Peers are installed once; what went wrong is told without addresses."""

import sys
from pathlib import Path

import pytest

from benchmarks.gateways import installing
from benchmarks.gateways.installing import NotInstallable, node_package, python_environment, python_version, reason


@pytest.fixture
def peers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for peers."""
    monkeypatch.setattr(installing, "PEERS", tmp_path)
    return tmp_path


def test_what_stands_is_not_installed_again(peers: Path) -> None:
    """Neither pip nor npm is asked where the same was wanted before."""
    for name, wanted in (("one", "a>=1\nb\n"), ("two", "@p/q\nr@1\n")):
        (peers / name).mkdir()
        (peers / name / "installed.txt").write_text(wanted, encoding="utf-8")
    assert python_environment("one", ("a>=1", "b")) == peers / "one"
    assert node_package("two", "@p/q", {"r": "1"}) == peers / "two" / "node_modules" / "@p/q"


def test_a_failed_installation_leaves_no_stamp(peers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the next run tries again; the reason is the installer's own."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(NotInstallable, match=r"^python3 -m venv failed: no word$"):
        python_environment("one", ("a",))
    assert not (peers / "one" / "installed.txt").exists()


def test_without_node_a_package_cannot_be_had(peers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the reason says what is missing."""
    monkeypatch.setenv("PATH", str(peers))
    with pytest.raises(NotInstallable, match=r"^node is not on the PATH$"):
        node_package("two", "@p/q", {})


def test_the_version_is_that_of_the_environment() -> None:
    """Asked of the environment's own Python."""
    environment = Path(sys.executable).parents[1]
    assert python_version(environment, "pytest") == pytest.__version__


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("", "no word"),
        ("one\n two \n", "two"),
        (
            "ERROR: No matching distribution found for a>=9\nsee the log\n",
            "ERROR: No matching distribution found for a>=9",
        ),
        ("ERROR: cannot reach https://host.example/simple/a\n", "ERROR: cannot reach …"),
        ("error: /home/someone/x/y.py is missing\n", "error: … is missing"),
    ],
)
def test_a_reason_names_no_address_and_no_folder(output: str, told: str) -> None:
    """The last line that speaks of an error, or the last."""
    assert reason(output) == told
