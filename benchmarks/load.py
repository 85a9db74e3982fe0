"""Load by wrk: chat requests of which no two in flight are the same."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

CONNECTIONS = 32
BODIES = 1000
"""Different prompts, sent in turn; far more than are ever in flight together."""

SCRIPT = """
local bodies, turn = {}, 0
function init(args)
  for i = 1, %(bodies)d do
    bodies[i] = wrk.format("POST", "/v1/chat/completions", wrk.headers,
      '{"model":"mock","messages":[{"role":"user","content":"Question ' .. i .. ': what is an event loop, and when ' ..
      'does it pay to write a server around one?"}],"max_tokens":100}')
  end
end
function request()
  turn = turn %% %(bodies)d + 1
  return bodies[turn]
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\nRESULT {"requests":%%d,"duration_us":%%d,"refused":%%d,"broken":%%d,"p50_us":%%d}\\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout, latency:percentile(50)))
end
"""


class Load(msgspec.Struct, frozen=True):
    """What wrk counted: answers, how many of them not 2xx, broken connections, and the median latency."""

    requests: int
    duration_us: int
    refused: int
    broken: int
    p50_us: int

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return self.requests / self.duration_us * 1e6


def put_load(url: str, *, seconds: int, core: int, headers: Mapping[str, str]) -> Load:
    """Loads `url` from one core for so long. Raises `AssertionError` where an answer was refused or cut."""
    lines = [f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "load.lua"
        script.write_text("\n".join([*lines, SCRIPT % {"bodies": BODIES}]), encoding="utf-8")
        command = [
            "taskset",
            "-c",
            str(core),
            "wrk",
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{seconds}s",
            "-s",
            str(script),
            url,
        ]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    load = msgspec.json.decode(output.partition("RESULT ")[2].strip(), type=Load)
    assert load.requests > 0, output
    assert (load.refused, load.broken) == (0, 0), output
    return load
