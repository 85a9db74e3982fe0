"""Holds each package to its floor of branch coverage: all of it in the core, nine tenths elsewhere."""

import json
import sys
from collections import defaultdict
from pathlib import Path, PurePosixPath

COMPLETE = {"domain", "dialects", "gateway"}
FLOOR_PERCENT = 90.0
SHOWN_LINES = 12


def main(report: str) -> int:
    """The exit code for slipcover's JSON report at this path; silent unless coverage is missing somewhere."""
    files = json.loads(Path(report).read_text(encoding="utf-8"))["files"]
    covered, total, gaps = defaultdict[str, int](int), defaultdict[str, int](int), list[str]()
    for name, figures in sorted(files.items()):
        package = PurePosixPath(name).relative_to("src/farthing").parts[0].removesuffix(".py")
        summary = figures["summary"]
        done = summary["covered_lines"] + summary["covered_branches"]
        covered[package] += done
        total[package] += done + summary["missing_lines"] + summary["missing_branches"]
        if package in COMPLETE and (missing := _missing(figures)):
            gaps.append(f"{name}: {missing}")
    percent = {package: 100.0 * covered[package] / total[package] for package in total if total[package]}
    low = {package: value for package, value in percent.items() if package not in COMPLETE and value < FLOOR_PERCENT}
    if not gaps and not low:
        return 0
    print("coverage: " + ", ".join(f"{package} {value:.1f}%" for package, value in sorted(percent.items())))
    for gap in gaps:
        print(f"not covered, and must be: {gap}")
    for package, value in sorted(low.items()):
        print(f"{package} is covered to {value:.1f}%, below {FLOOR_PERCENT:.0f}%")
    return 1


def _missing(figures: dict[str, list[object]]) -> str:
    """The lines and the jumps that no test took, shortened."""
    lines = [str(line) for line in figures["missing_lines"]]
    jumps = [f"{jump[0]}→{jump[1] or 'exit'}" for jump in figures["missing_branches"] if isinstance(jump, list)]
    places = [*lines, *jumps]
    return ", ".join(places[:SHOWN_LINES]) + (", …" if len(places) > SHOWN_LINES else "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
