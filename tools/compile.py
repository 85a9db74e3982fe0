"""Compiles the modules that pyproject.toml lists into a copy of the package: the same source, ahead of time."""

import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHOWN_LINES = 20
LOADING = """
import importlib, pkgutil, sys
import farthing
for found in pkgutil.walk_packages(farthing.__path__, "farthing."):
    if ".migrations." not in found.name:
        importlib.import_module(found.name)
left = [name for name in sys.argv[1:] if sys.modules[name].__file__.endswith(".py")]
sys.exit(f"not compiled: {', '.join(left)}" if left else 0)
"""
FLAGS = ("-I", str(ROOT / "tools" / "mypyc"), "-fvisibility=hidden", "-fno-semantic-interposition")
"""Our own header before mypyc's; and what is called within the extension may be put where it is called."""
MYPYC = ("/usr/bin/env", f"CFLAGS={shlex.join(FLAGS)}", sys.executable, "-m", "mypyc")
BUILD_FILES = ("build", ".mypy_cache")
"""What mypyc leaves behind beside the extensions."""


def main(target: Path) -> int:
    """The exit code; `target` becomes a folder to put first on the path, or stays as it was."""
    if missing := _missing():
        print(missing)
        return 1
    modules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["farthing"]["compiled"]
    work = target.with_name(f"{target.name}-under-way")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(ROOT / "src" / "farthing", work / "farthing", ignore=shutil.ignore_patterns("__pycache__"))
    command = [*MYPYC, "--config-file", str(ROOT / "pyproject.toml")]
    done = subprocess.run(  # noqa: S603 (our own interpreter)
        [*command, *(source(module) for module in modules)], cwd=work, capture_output=True, text=True, check=False
    )
    done = done if done.returncode else _loaded(work, modules)
    if done.returncode:
        print(*(done.stdout + done.stderr).splitlines()[-SHOWN_LINES:], sep="\n")
        return 1
    for name in BUILD_FILES:
        shutil.rmtree(work / name, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    work.rename(target)
    return 0


def source(module: str) -> str:
    """The file of a module such as `gateway.pipeline`, from the folder that holds the package."""
    path = Path("farthing", *module.split("."))
    package = ROOT / "src" / path / "__init__.py"
    return (path / "__init__.py" if package.exists() else path.with_suffix(".py")).as_posix()


def _loaded(work: Path, modules: list[str]) -> subprocess.CompletedProcess[str]:
    """Loads every module of the package, since some mistakes show only then, and those of the list as extensions."""
    return subprocess.run(  # noqa: S603 (our own interpreter)
        [sys.executable, "-c", LOADING, *(f"farthing.{module}" for module in modules)],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
    )


def _missing() -> str | None:
    """What has to be installed first, in words."""
    if not shutil.which(str(sysconfig.get_config_var("CC")).split()[0]):
        return (
            "Compiling needs a C compiler: install gcc (Debian: build-essential). The interpreted gateway needs none."
        )
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "Compiling needs Python's headers: install python3-dev. The interpreted gateway needs none."
    if find_spec("setuptools") is None:
        return "Compiling needs setuptools: .venv/bin/pip install setuptools. The interpreted gateway needs none."
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
