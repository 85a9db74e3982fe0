"""What a process and its children cost the machine, by the kernel's own account."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

PROC = Path("/proc")


class Account(msgspec.Struct, frozen=True):
    """Processor seconds used since the start, and resident memory in MiB."""

    cpu_seconds: float
    resident_mib: float


def account(pid: int) -> Account:
    """The sum over the process and everything below it."""
    family = {pid, *_below(pid)}
    ticks = sum(sum(map(int, _stat(member)[11:13])) for member in family)
    pages = sum(int(_stat(member)[21]) for member in family)
    return Account(
        cpu_seconds=ticks / os.sysconf("SC_CLK_TCK"), resident_mib=pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    )


def proportional_mib(pid: int) -> float:
    """Memory of the process and everything below it, each shared page counted once, in MiB."""
    return sum(map(_proportional_kib, {pid, *_below(pid)})) / 1024


def core_seconds(core: int) -> float:
    """Processor time that all processes together have used on a core since the machine started."""
    lines = (PROC / "stat").read_text(encoding="ascii").splitlines()
    [fields] = [line.split()[1:] for line in lines if line.startswith(f"cpu{core} ")]
    user, nice, system = map(int, fields[:3])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def _proportional_kib(pid: int) -> int:
    """0 for a process that has just ended. Raises `PermissionError` for somebody else's."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _below(ancestor: int) -> set[int]:
    parents = {int(path.name): int(_stat(int(path.name))[1]) for path in PROC.iterdir() if path.name.isdecimal()}
    found, fresh = set[int](), {ancestor}
    while fresh := {pid for pid, parent in parents.items() if parent in fresh}:
        found |= fresh
    return found


def _stat(pid: int) -> list[str]:
    """Fields of proc(5)'s stat from the state (field 3) on; zeros for a process that has just ended."""
    try:
        return (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["0"] * 50
