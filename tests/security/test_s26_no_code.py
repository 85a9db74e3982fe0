"""S26 and S27: the watch that test_fuzz.py keeps sees what it must, and nothing in the package could run a text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from farthing import __file__ as package
from tests.security.fuzzing import MASTER
from tests.security.watch import Watched, foreign
from tests.security.wire import Wire
from tests.servers.gateway import Gateway


def test_the_watch_sees_what_runs(tmp_path: Path, started: Callable[[Gateway], Gateway]) -> None:
    """The first question loads what answers it, which is noted."""
    fresh = Watched(tmp_path, started)

    def ask() -> None:
        with Wire(fresh.gateway.port) as wire:
            assert wire.ask("GET", "/stats", headers=(("authorization", f"Bearer {MASTER}"),)).status == 200

    assert {"import", "exec"} <= {event for event, _ in foreign(fresh.during(ask))}


def test_nothing_in_the_package_could_run_a_text() -> None:
    """No eval, exec, pickle, marshal, shelve or yaml stands anywhere in it; ruff's S rules say the same."""
    forbidden = (
        "eval(",
        "exec(",
        "import pickle",
        "import marshal",
        "import shelve",
        "import yaml",
        "os.system",
        "shell=",
    )
    found = [
        f"{path.name}: {word}"
        for path in Path(package).parent.rglob("*.py")
        for word in forbidden
        if word
        in path.read_text(encoding="utf-8")
        .replace("re.compile(", "")
        .replace(".eval(", "")
        .replace("subprocess_exec(", "")
    ]
    assert found == []
