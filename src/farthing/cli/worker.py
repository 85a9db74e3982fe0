"""The application of one of several worker processes."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any


def application() -> Any:  # noqa: ANN401 (an ASGI application)
    """The gateway for a process that uvicorn's supervisor has started."""
    from farthing.app import from_environment

    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    return from_environment()


def _end_with_parent(parent: int) -> None:
    """Ends this process in good order when its supervisor was killed, so that no orphan keeps the port."""
    never = threading.Event()
    while os.getppid() == parent:
        never.wait(1)
    os.kill(os.getpid(), signal.SIGTERM)
