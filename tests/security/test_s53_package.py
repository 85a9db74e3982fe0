"""S53: what is shipped is what stands in the tree, to the byte, and nothing in it runs by itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

BESIDE = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
"""What a wheel holds of itself."""


def build(source: Path, target: Path) -> Path:
    """A wheel of the sources, built without a network."""
    command = [str(Path(sys.executable).with_name("uv")), "build", "--wheel", "--offline", "--quiet", "-o", str(target)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return next(target.glob("*.whl"))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same sources built in two places, the second copied later and under another name."""
    copy = tmp_path_factory.mktemp("another") / "place"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (copy / name).write_bytes((ROOT / name).read_bytes())
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__"), copy_function=shutil.copy)
    return build(ROOT, tmp_path_factory.mktemp("one")), build(copy, tmp_path_factory.mktemp("two"))


def test_a_wheel_is_the_same_wherever_it_is_built(wheels: tuple[Path, Path]) -> None:
    """To the byte."""
    assert len({sha256(wheel.read_bytes()).hexdigest() for wheel in wheels}) == 1


def test_a_wheel_holds_the_tree_and_nothing_else(wheels: tuple[Path, Path]) -> None:
    """Every file with its bytes; no .pth, which would run at every start of Python, no script and no binary."""
    tree = {
        path.relative_to(ROOT / "src").as_posix(): path.read_bytes()
        for path in (ROOT / "src" / "farthing").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheels[0]) as wheel:
        held = {name: wheel.read(name) for name in wheel.namelist() if not name.endswith("/")}
    about = next(name for name in held if name.endswith("/METADATA")).partition("/")[0]
    assert {name for name in held if name.startswith(f"{about}/")} == {f"{about}/{name}" for name in BESIDE}
    assert {name: data for name, data in held.items() if not name.startswith(f"{about}/")} == tree
    assert {name.rpartition(".")[2] for name in tree} <= {
        "py",
        "toml",
        "html",
        "css",
        "js",
        "typed",
        "json",
        "lua",
        "mako",
        "npz",
        "svg",
        "typ",
        "LICENSE",
    }
    assert held[f"{about}/entry_points.txt"].decode().split() == [
        "[console_scripts]",
        "farthing",
        "=",
        "farthing.cli:main",
    ]


def test_importing_the_package_does_nothing() -> None:
    """No file is written, no process is started and no address is looked up by `import farthing.app.application`."""
    watch = (
        "import sys\n"
        "seen = []\n"
        "bad = {'socket.connect', 'socket.getaddrinfo', 'subprocess.Popen', 'os.exec', 'os.posix_spawn', 'os.fork'}\n"
        "sys.addaudithook(lambda event, arguments: seen.append(event) if event in bad else None)\n"
        "import farthing.app.application, farthing.cli\n"
        "sys.exit(repr(seen) if seen else 0)"
    )
    done = subprocess.run([sys.executable, "-B", "-c", watch], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
