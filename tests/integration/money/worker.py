"""A worker to be killed: opens and settles requests as fast as it can, and tells on its output what was noted."""

import itertools
import os
import sys
from pathlib import Path

from farthing.money.journal import Journal
from tests.unit.money.samples import exchange, intent

PARALLEL = 8


def main() -> None:
    """Keeps `PARALLEL` requests open, and writes `+n` or `-n` once number n is opened or settled."""
    journal = Journal(root=Path(sys.argv[1]), name=sys.argv[2], segment_bytes=256 * 1024)
    first = int(sys.argv[3])
    for number in itertools.count(first):
        journal.open(intent(exchange(number)))
        os.write(1, b"+%d\n" % number)
        if number >= first + PARALLEL:
            journal.settle(exchange(number - PARALLEL))
            os.write(1, b"-%d\n" % (number - PARALLEL))
        if number % 7 == 0 and (batch := journal.drain(3)):
            os.write(1, b"".join(b"=%d\n" % row.usage.prompt for row in batch.exchanges))
            journal.commit(batch)


if __name__ == "__main__":
    main()
