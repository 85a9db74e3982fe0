"""`make replay`: real prompts and recorded answers of two models through the running gateway, on SQLite."""

from __future__ import annotations

import os
import sys

from benchmarks.machine import store
from benchmarks.replay.outcome import table
from benchmarks.replay.passes import ReplayFailed
from benchmarks.replay.recordings import FILE, load
from benchmarks.replay.replaying import replay, settings
from benchmarks.replay.upstream import ReplayUpstream
from tests.servers.application import Served
from tests.servers.gateway import Gateway


def main() -> int:
    """The exit code; prints the table, or why there is none."""
    if not FILE.exists():
        print(f"The recordings ../{FILE.relative_to(FILE.parents[3])} are not at hand: nothing was replayed.")
        return 1 if os.environ.get("CI") else 0
    recordings = load()
    upstream = ReplayUpstream(recordings)
    with Served(upstream.application) as served:
        gateway = Gateway(settings(served.url))
        try:
            gateway.start()
            outcome = replay(gateway.url, upstream, recordings)
        except ReplayFailed as failure:
            print(f"The replay failed: {failure}")
            return 1
        finally:
            gateway.remove()
    text = table(outcome)
    print(text)
    store("replay", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
