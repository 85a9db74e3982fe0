"""Brings the journal's memory to the disk every few milliseconds, in a thread, so that a power cut costs no more."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from threading import Event, Thread

from farthing.money.segment import Segment

logger = logging.getLogger(__name__)

IDLE_ROUNDS = 100
"""Rounds without news after which the thread sleeps until it is woken."""


class Flusher:
    """Syncs the segments it watches. The thread that appends calls `wake` when `is_asleep`."""

    def __init__(self, directory: Path, interval_s: float) -> None:
        """Starts the thread; `directory` is the folder of the segments, `interval_s` the longest delay in seconds."""
        self.is_asleep = False
        self.failure: OSError | None = None
        """Why the last attempt to sync failed, None where it did not."""
        self._directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._interval_s = interval_s
        self._segments: list[Segment] = []
        self._files = self._files_synced = 0
        self._stopping = Event()
        self._alarm = Event()
        self._thread = Thread(target=self._run, name="journal flusher", daemon=True)
        self._thread.start()

    def watch(self, segment: Segment) -> None:
        """Syncs this segment and its folder's entry from now on."""
        self._segments.append(segment)
        self._files += 1

    def release(self) -> list[Segment]:
        """The watched segments but the last whose content is all on the disk; they are no longer watched."""
        done = [segment for segment in self._segments[:-1] if segment.synced == segment.end]
        self._segments = [segment for segment in self._segments if segment not in done]
        return done

    def wake(self) -> None:
        """Ends the sleep."""
        self._alarm.set()

    def stop(self) -> list[Segment]:
        """Ends the thread, syncs what is left, and gives every watched segment back."""
        self._stopping.set()
        self._alarm.set()
        self._thread.join()
        self._sync()
        os.close(self._directory)
        return self._segments

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.is_asleep = False
            idle = 0
            while idle < IDLE_ROUNDS and not self._stopping.is_set():
                self._stopping.wait(self._interval_s)
                idle = 0 if self._sync() else idle + 1
            self.is_asleep = True
            # Whoever appended before seeing us asleep has not woken us: one more look, then the alarm can be trusted.
            if not self._sync() and not self._stopping.is_set():
                self._alarm.wait()
            self._alarm.clear()

    def _sync(self) -> bool:
        """Whether there was anything to do."""
        files, segments = self._files, list(self._segments)
        try:
            if files != self._files_synced:
                os.fsync(self._directory)
                self._files_synced = files
            found = [segment.sync() for segment in segments]
        except OSError as error:
            if self.failure is None:
                logger.error("the journal cannot be brought to disk, new requests are refused: %s", error)  # noqa: TRY400 - the disk's fault
            self.failure = error
            return True
        if self.failure is not None:
            logger.warning("the journal is on disk again")
            self.failure = None
        return any(found)
