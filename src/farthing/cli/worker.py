"""The application of one of several worker processes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from multiprocessing import parent_process
from typing import Any

from uvicorn.config import STARTUP_FAILURE

from farthing.cli.garbage import postpone
from farthing.cli.lifespan import EXPECTED
from farthing.cli.terminal import complain


def application() -> Any:  # noqa: ANN401 (an ASGI application)
    """The gateway for a process that uvicorn's supervisor has started."""
    postpone()
    from farthing.app import from_environment

    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        return from_environment()
    except EXPECTED as error:
        # With any other status the supervisor would start this worker again, for ever.
        complain(str(error))
        sys.exit(STARTUP_FAILURE)


def _end_with_parent() -> None:
    """Ends this process in good order when its supervisor was killed, so that no orphan keeps the port."""
    parent = parent_process()
    if parent is not None:
        # Returns at once where the supervisor died before this process came so far.
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
