"""Work in a process of its own, which gives way to requests: the gateway's memory and time stay what they are."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from farthing.settings.environment import process_environment

_NICENESS = 19
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Of all cores but one requests are sure."""
_OOM_SCORE = Path("/proc/self/oom_score_adj")


@asynccontextmanager
async def working(program: str) -> AsyncIterator[Process]:
    """A process that runs this program of Python, with pipes to speak with it; gone at the end of the block."""
    # -P: a module that lies in the current folder is not ours.
    command = [sys.executable, "-P", "-c", program]
    environment = {**process_environment(), **_ONE_THREAD}
    # In a session of its own: Ctrl-C is for the gateway, which then ends the work.
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, env=environment, start_new_session=True
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def give_way() -> None:
    """For the process itself, as the first thing it does."""
    os.nice(_NICENESS)
    # Where memory is short it is this process that has to go.
    with suppress(OSError):
        _OOM_SCORE.write_text("1000")
