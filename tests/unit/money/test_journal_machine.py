"""Whatever becomes of workers and of the database's answers, each request ends in the ledger exactly once."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from farthing.domain.exchange import Exchange
from farthing.money import reader
from farthing.money.journal import Journal
from farthing.money.reader import Batch
from farthing.money.segment import HEADER_BYTES
from tests.unit.money.samples import die, exchange, inherited, intent

SEGMENT = 16 * 1024


REMEMBERED = 6
"""Few, so that many records are read back."""


class Notebook(RuleBasedStateMachine):
    """One worker after another, each with a journal, and a ledger that knows requests by their id."""

    def __init__(self) -> None:
        super().__init__()
        self.usual, reader.MOST_FRESH = reader.MOST_FRESH, REMEMBERED
        self.folder = TemporaryDirectory(prefix="farthing-journal-")
        self.root = Path(self.folder.name)
        self.number = self.born = 0
        self.open: list[Exchange] = []
        self.ended: dict[str, str] = {}
        """How each request ended, by its id."""
        self.rows: dict[str, Exchange] = {}
        self.journal = self.begin()

    def begin(self) -> Journal:
        """A worker's new journal."""
        self.born += 1
        return Journal(root=self.root, name=f"w{self.born}", segment_bytes=SEGMENT, sync_every_s=60)

    def keep(self, rows: tuple[Exchange, ...] | list[Exchange]) -> None:
        """As the database: the first row of an id stands."""
        for row in rows:
            self.rows.setdefault(row.request_id, row)

    @rule(times=st.integers(1, 12), again=st.booleans())
    def ask(self, times: int, again: bool) -> None:
        """Requests are opened, some twice, as when a second model is asked."""
        for _ in range(times):
            self.number += 1
            made = exchange(self.number)
            for _ in range(1 + again):
                self.journal.open(intent(made))
            self.open.append(made)

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """Some of them end, in any order."""
        for _ in range(data.draw(st.integers(0, len(self.open)))):
            made = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
            self.journal.settle(made)
            self.ended[made.request_id] = "ok"

    @rule()
    def reject(self) -> None:
        """A request ends that no model was asked for."""
        self.number += 1
        made = exchange(self.number, cost=0)
        self.journal.settle(made)
        self.ended[made.request_id] = "ok"

    @rule(limit=st.integers(1, 20), is_heard=st.booleans())
    def drain(self, limit: int, is_heard: bool) -> None:
        """A batch reaches the database, whose answer may be lost: then the same batch comes again."""
        batch = self.journal.drain(limit)
        if batch is None:
            return
        self.keep(batch.exchanges)
        if is_heard:
            self.journal.commit(batch)
        else:
            again: Batch | None = self.journal.drain(limit)
            assert again is batch

    @rule(is_torn=st.booleans())
    def kill(self, is_torn: bool) -> None:
        """The worker dies, perhaps in the middle of a record; what it had not ended is cut off."""
        segment = self.journal._current
        if is_torn and segment.room > 2 * HEADER_BYTES:
            begin = segment.end + HEADER_BYTES
            segment._memory[begin : begin + HEADER_BYTES] = b"\x01" * HEADER_BYTES
        die(self.journal)
        self.ended |= {made.request_id: "interrupted" for made in self.open}
        self.open.clear()
        self.journal = self.begin()

    @rule()
    def stop(self) -> None:
        """The worker ends in peace, with nothing under way; what is not committed stays for the next."""
        if not self.open:
            self.journal.close()
            self.journal = self.begin()

    @rule(limit=st.integers(1, 20))
    def inherit(self, limit: int) -> None:
        """A living worker brings what the dead have left."""
        self.keep(inherited(self.root, limit))

    @invariant()
    def nothing_is_made_up(self) -> None:
        """Every row is of a request that ended so."""
        assert all(self.ended[request_id] == row.status for request_id, row in self.rows.items())

    def teardown(self) -> None:
        """When all is brought in, every request has its row, and no damage was met."""
        try:
            self.kill(is_torn=False)
            self.keep(inherited(self.root))
            assert {request_id: row.status for request_id, row in self.rows.items()} == self.ended
            assert not (self.root / "quarantine").exists()
        finally:
            self.journal.close()
            self.folder.cleanup()
            reader.MOST_FRESH = self.usual


TestNotebook = Notebook.TestCase
TestNotebook.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
