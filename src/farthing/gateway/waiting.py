"""Tasks that wait in one process for something to go on."""

from __future__ import annotations

import asyncio


class Waiters:
    """Woken all at once. Whoever is woken looks for itself at what has become of what it waits for."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[None]] = []
        """One for each."""

    async def wait(self) -> None:
        """Until the next `wake`."""
        waiter = asyncio.get_running_loop().create_future()
        self.waiting.append(waiter)
        await waiter

    def wake(self) -> None:
        """All that wait now; some may have given up."""
        if not self.waiting:
            return
        waiting, self.waiting = self.waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)
