"""A fixed piece of work that says how fast this machine is just now; everything else is measured as a ratio to it."""

from __future__ import annotations

import hashlib
import json
import time

TURNS = 40
"""Makes a run about a millisecond long."""
_BODY = {
    "model": "auto",
    "messages": [{"role": "user", "content": "What is an event loop, and when does it pay? " * 4}],
    "max_tokens": 100,
}


def work() -> str:
    """Text, dictionaries, JSON and a digest, in about the shares in which a gateway uses them."""
    found: dict[str, int] = {}
    state = b""
    for turn in range(TURNS):
        text = json.dumps({**_BODY, "seed": turn})
        for word in text.split():
            found[word] = found.get(word, 0) + len(word)
        tree = json.loads(text)
        state = hashlib.sha256(state + "".join(sorted(tree)).encode()).digest()
    return f"{sum(found.values())} {state.hex()}"


def seconds() -> float:
    """Processor seconds of one run."""
    begin = time.process_time()
    work()
    return time.process_time() - begin
