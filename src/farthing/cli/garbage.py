"""When garbage is looked for: not while the gateway starts, and afterwards only among what came since."""

from __future__ import annotations

import gc

THRESHOLDS = 50_000, 20, 100
"""New objects before garbage is looked for among them, and how often that precedes a look at older ones.

Requests under way are no garbage, and nearly nothing they leave behind is: with Python's own thresholds several hundred
streams spend a sixth of their time on looking through one another.
"""


def postpone() -> None:
    """Until `resume`: nearly all that a start makes stays, and looking through it takes a tenth of the start."""
    gc.disable()


def resume() -> None:
    """Leaves out of every later search what is there now, which would hold up all requests for some 30 ms each time."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    gc.enable()
