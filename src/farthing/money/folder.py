"""Folders below the journal's root, each owned by the one living process that holds its lock."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from farthing.money.segment import SUFFIX

LOCK = "lock"
QUARANTINE = "quarantine"
METERS = "meters"


class Folder:
    """A folder whose lock this process holds until `release` or `remove`, or until it dies."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @property
    def quarantine(self) -> Path:
        """Where files go that cannot be read in full."""
        return self.path.parent / QUARANTINE

    def segments(self) -> list[Path]:
        """The segment files, oldest first."""
        return sorted(path for path in self.path.iterdir() if path.suffix == SUFFIX)

    def strangers(self) -> list[Path]:
        """Files that are neither segments nor the lock nor the meters."""
        return [path for path in self.path.iterdir() if path.suffix != SUFFIX and path.name not in {LOCK, METERS}]

    def remove(self) -> None:
        """Deletes the folder, or leaves it to the next finder where that fails."""
        with suppress(OSError):
            (self.path / METERS).unlink(missing_ok=True)
            (self.path / LOCK).unlink()
            self.path.rmdir()
        self.release()

    def release(self) -> None:
        """Leaves the folder to whoever comes first."""
        os.close(self._lock)


def found(root: Path, name: str) -> Folder:
    """A new folder. Raises `OSError`."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Born under a name that `orphans` passes over, so that nobody adopts it before it is locked.
    cradle = root / f".{name}"
    cradle.mkdir(mode=0o700)
    lock = _locked(cradle)
    if lock is None:
        raise BlockingIOError(f"{cradle} is in use")
    return Folder(cradle.rename(root / name), lock)


def orphans(root: Path) -> Iterator[Folder]:
    """The folders whose owner has died, locked one by one. Raises `OSError` where the root cannot be read."""
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.name == QUARANTINE or not path.is_dir():
            continue
        lock = _locked(path)
        if lock is not None:
            yield Folder(path, lock)


def _locked(path: Path) -> int | None:
    """A descriptor that holds the folder's lock, None where it is not to be had."""
    try:
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    if not path.exists():
        os.close(lock)
        return None
    return lock
