"""The floors of branch coverage hold."""

import json
from pathlib import Path

import pytest

from tools.coverage_gate import main


def report(folder: Path, **files: tuple[int, int]) -> str:
    """A report of slipcover's in which each file has so many of its statements and branches covered."""
    figures = {
        f"src/farthing/{name.replace('__', '/')}.py": {
            "summary": {
                "covered_lines": covered,
                "missing_lines": total - covered,
                "covered_branches": 0,
                "missing_branches": 0,
            },
            "missing_lines": list(range(covered, total)),
            "missing_branches": [[3, 0]] if covered < total else [],
        }
        for name, (covered, total) in files.items()
    }
    path = folder / "coverage.json"
    path.write_text(json.dumps({"files": figures}), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("files", "code", "said"),
    [
        ({"domain__money": (10, 10), "store__schema": (9, 10), "app": (10, 10)}, 0, ""),
        ({"domain__money": (9, 10)}, 1, "src/farthing/domain/money.py: 9, 3→exit"),
        ({"gateway__pipeline": (99, 100), "gateway__call": (1, 1)}, 1, "src/farthing/gateway/pipeline.py: 99, 3→exit"),
        ({"store__schema": (89, 100)}, 1, "store is covered to 89.0%, below 90%"),
        ({"store__schema": (8, 10), "store__engine": (10, 10)}, 0, ""),
        ({"app": (0, 10)}, 1, "app is covered to 0.0%, below 90%"),
    ],
)
def test_the_core_is_held_to_all_and_the_rest_to_nine_tenths(
    files: dict[str, tuple[int, int]], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gap in the core is named by file, line and jump; elsewhere a package is weighed as a whole; else silence."""
    assert main(report(tmp_path, **files)) == code
    output = capsys.readouterr().out
    assert said in output
    assert bool(output) == bool(code)
