"""`make fuzz`: many requests made up from the gateway's description, and a page with what was found."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.security.fuzzing import ENVIRONMENT, SETTINGS, Findings, fuzz
from tests.servers.gateway import Gateway

RESULT = Path("benchmarks/results/fuzz.txt")


def main(cases: int, seed: int) -> int:
    """Asks, writes the page, and returns the process's status: 1 where anything was wrong."""
    gateway = Gateway(SETTINGS, environment=ENVIRONMENT)
    gateway.start()
    begin = time.monotonic()
    try:
        findings = fuzz(gateway, cases=cases, seed=seed)
        traces = gateway.log.read_text().count("Traceback")
    finally:
        gateway.remove()
    page = report(findings, seed=seed, seconds=time.monotonic() - begin, traces=traces)
    RESULT.write_text(page, encoding="utf-8")
    sys.stdout.write(page)
    return 1 if findings.wrong or traces else 0


def report(findings: Findings, *, seed: int, seconds: float, traces: int) -> str:
    """The page."""
    lines = [
        f"Made-up requests, seed {seed}: {findings.cases:,} cases over {len(findings.operations)} operations",
        f"in {seconds:,.0f} s; {findings.unsendable:,} more that no client would send",
        "",
        *(f"{status}  {count:>8,}" for status, count in sorted(findings.statuses.items())),
        "",
        f"answers with a status of 500 and above, outside the envelope or missing: {len(findings.wrong)}",
        f"tracebacks in the log: {traces}",
        *findings.wrong[:20],
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:3])))
