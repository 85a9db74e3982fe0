"""A fixed share of a core for each process, by the kernel's own bandwidth control, so that the rest has head-room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 50_000
"""The share is handed out anew so often."""
PREFIX = "farthing-benchmark"


class NoShares(Exception):
    """This machine lets nobody set shares; the message says why."""


@contextmanager
def shares(pids: Iterable[int], share: float, *, root: Path = ROOT) -> Iterator[None]:
    """Each process, with its threads, gets at most that share of one core. Raises `NoShares`.

    Needs root, and control groups of either version with their processor controller.
    """
    controller = _controller(root)
    with ExitStack() as stack:
        for pid in pids:
            stack.enter_context(_share(controller, pid, round(share * PERIOD_US)))
        yield


@contextmanager
def _share(controller: Path, pid: int, quota_us: int) -> Iterator[None]:
    folder = controller / f"{PREFIX}-{pid}"
    try:
        folder.mkdir()
        if _is_first_version(controller):
            (folder / "cpu.cfs_period_us").write_text(str(PERIOD_US), encoding="ascii")
            (folder / "cpu.cfs_quota_us").write_text(str(quota_us), encoding="ascii")
        else:
            (folder / "cpu.max").write_text(f"{quota_us} {PERIOD_US}", encoding="ascii")
        (folder / "cgroup.procs").write_text(str(pid), encoding="ascii")
    except OSError as error:
        raise NoShares(f"{folder} cannot be set up: {error.strerror}") from error
    try:
        yield
    finally:
        # A group goes only when nobody is in it.
        (controller / "cgroup.procs").write_text(str(pid), encoding="ascii")
        folder.rmdir()


def _controller(root: Path) -> Path:
    """The folder in which groups are made. Raises `NoShares`."""
    if _is_first_version(root / "cpu"):
        return root / "cpu"
    try:
        (root / "cgroup.subtree_control").write_text("+cpu", encoding="ascii")
    except OSError as error:
        raise NoShares(f"{root} has no processor controller that we may use: {error.strerror}") from error
    return root


def _is_first_version(controller: Path) -> bool:
    return (controller / "cpu.cfs_quota_us").exists()
