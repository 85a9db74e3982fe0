"""The load generator's quantiles are those of all durations, within one percent."""

import json
import math
import random
import subprocess
from pathlib import Path

import pytest

from benchmarks import native
from tests.servers.process import program

PROGRAM = """
#include "histogram.h"
int main(void) {
    static struct histogram durations;
    for (long long each; scanf("%lld", &each) == 1;) count_duration(&durations, each);
    print_durations(&durations);
}
"""


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reads durations in ns, prints what a load reports of them."""
    folder = tmp_path_factory.mktemp("histogram")
    (folder / "counter.c").write_text(PROGRAM, encoding="utf-8")
    sources = Path(native.__file__).parent
    command: list[str | Path] = [program("gcc"), "-I", sources, folder / "counter.c", "-o", folder / "counter", "-lm"]
    subprocess.run(command, check=True)
    return folder / "counter"


def reported(counter: Path, durations: list[int]) -> dict[str, float]:
    """What it prints of these."""
    text = "\n".join(map(str, durations))
    figures: dict[str, float] = json.loads(subprocess.check_output([counter], input=text, text=True))
    return figures


@pytest.mark.parametrize("seed", range(5))
def test_quantiles_are_within_one_percent(counter: Path, seed: int) -> None:
    """From nanoseconds to minutes, and the maximum and the mean are exact."""
    dice = random.Random(seed)
    durations = sorted(int(10 ** dice.uniform(2, 11)) for _ in range(dice.randrange(1, 2000)))
    figures = reported(counter, durations)
    for name, share in {"p50": 0.5, "p90": 0.9, "p99": 0.99}.items():
        exact = durations[math.ceil(share * len(durations)) - 1] / 1000
        assert figures[name] == pytest.approx(exact, rel=0.01, abs=0.06)
    assert figures["max"] == pytest.approx(durations[-1] / 1000, abs=0.06)
    assert figures["mean"] == pytest.approx(sum(durations) / len(durations) / 1000, abs=0.06)


def test_no_duration_is_nothing(counter: Path) -> None:
    """All figures are zero where nothing was counted."""
    assert reported(counter, []) == {"p50": 0, "p90": 0, "p99": 0, "max": 0, "mean": 0}
