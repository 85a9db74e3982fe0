"""What a dead worker left behind: its settlements, and its requests that were cut off."""

from __future__ import annotations

from farthing.money.folder import METERS, Folder
from farthing.money.meters import Reading
from farthing.money.reader import Batch, Part, Reader, set_aside


class Estate:
    """An orphaned folder that this process has locked. All settlements come again, the database knows the doubles."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._reader = Reader([Part(path) for path in folder.segments()], quarantine=folder.quarantine)
        self._meters = Reading(folder.path / METERS)

    @property
    def name(self) -> str:
        """The dead worker's journal's."""
        return self._folder.path.name

    @property
    def is_done(self) -> bool:
        """Whether everything in it was committed."""
        return self._reader.is_done

    def drain(self, limit: int) -> Batch | None:
        """Up to `limit` exchanges: settlements first, and when they are committed the intents that have none.

        The same batch comes again until it is committed. Raises `OSError` where a segment cannot be read.
        """
        return self._reader.settled(limit) or self._reader.interrupted(limit, self._meters)

    def commit(self, batch: Batch) -> None:
        """Takes note that the batch is in the database."""
        self._reader.commit(batch)

    def close(self) -> None:
        """Deletes the folder if everything is committed, else leaves it to the next finder."""
        if self.is_done:
            for path in self._folder.strangers():
                set_aside(path, self._folder.quarantine)
            self._folder.remove()
        else:
            self._folder.release()
