"""Installs the peers from the package registries, once, each into an environment of its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.machine import ROOT

PEERS = ROOT / ".benchmarks" / "peers"
_ADDRESS = re.compile(r"\S*(?:://|/\S+/)\S*")


class NotInstallable(Exception):
    """A peer cannot be had on this machine; the message says why, and names no address or folder."""


def python_environment(name: str, requirements: tuple[str, ...]) -> Path:
    """A virtual environment of that name with the newest releases that fit. Raises `NotInstallable`."""
    folder = PEERS / name
    stamp = folder / "installed.txt"
    if not _stands(stamp, requirements):
        shutil.rmtree(folder, ignore_errors=True)
        _run("python3 -m venv", [sys.executable, "-m", "venv", str(folder)])
        pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        _run("pip", [*pip, *requirements])
        _leave(stamp, requirements)
    return folder


def python_version(environment: Path, distribution: str) -> str:
    """Which release of a distribution stands in the environment."""
    code = f"import importlib.metadata as m; print(m.version({distribution!r}))"
    return _run("python", [str(environment / "bin" / "python"), "-c", code]).strip()


def node_package(name: str, package: str, overrides: Mapping[str, str]) -> Path:
    """The folder of an npm package's newest release; `overrides` pins what it needs. Raises `NotInstallable`."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise NotInstallable(f"{tool} is not on the PATH")
    folder = PEERS / name
    stamp, manifest = folder / "installed.txt", {"dependencies": {package: "latest"}, "overrides": dict(overrides)}
    wanted = (package, *(f"{name}@{version}" for name, version in overrides.items()))
    if not _stands(stamp, wanted):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps({"private": True, **manifest}), encoding="utf-8")
        _run("npm", ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(folder)])
        _leave(stamp, wanted)
    return folder / "node_modules" / package


def reason(output: str) -> str:
    """The last line that tells of an error, or the last of all, without addresses and folders."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower()]
    return _ADDRESS.sub("…", (telling or lines or ["no word"])[-1])[:160]


def _run(what: str, command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInstallable(f"{what} failed: {reason(done.stderr or done.stdout)}")
    return done.stdout


def _stands(stamp: Path, requirements: tuple[str, ...]) -> bool:
    return stamp.is_file() and stamp.read_text(encoding="utf-8").split() == list(requirements)


def _leave(stamp: Path, requirements: tuple[str, ...]) -> None:
    stamp.write_text("\n".join(requirements) + "\n", encoding="utf-8")
