"""`python -m benchmarks.routing.rephrasing`: how surely a question in other words is known, into benchmarks/results."""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from random import Random

from benchmarks.machine import store
from benchmarks.routing.published import PUBLISHED
from benchmarks.routing.sets import DATA, lacking, path_of
from benchmarks.tables import aligned
from farthing.domain import rephrasing
from farthing.domain.rephrasing import FEWEST_WORDS, MOST_WORDS, is_same_question
from farthing.insight.learning.labels import read_labels

MOST_OF_A_KIND = 200
"""Questions of one task that are compared with each other."""
THRESHOLDS = 0.5, 0.6, 0.7, 0.8, 0.9
SEED = 20_261_121


def main() -> int:
    """Measures at the threshold in force and at others."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("data", nargs="?", type=Path, default=DATA, help="folder of the recorded outcomes")
    data = reader.parse_args().data
    if missing := lacking(data, PUBLISHED):
        print(missing)
        return 1
    random = Random(SEED)
    kinds = [random.sample(one, min(len(one), MOST_OF_A_KIND)) for one in _kinds(data)]
    edits = [(question, other) for one in kinds for question in one for other in _in_other_words(question, random)]
    lines = [("threshold", "taken for the same as another of its kind", "known after a small change")]
    in_force = rephrasing.ALIKE
    for threshold in THRESHOLDS:
        rephrasing.ALIKE = threshold
        mistaken = sum(len(_mistaken(one)) for one in kinds) / sum(map(len, kinds))
        known = sum(is_same_question(*pair) for pair in edits) / len(edits)
        mark = " (in force)" if threshold == in_force else ""
        lines.append((f"{threshold:g}{mark}", f"{mistaken:.2%}", f"{known:.1%}"))
    rephrasing.ALIKE = in_force
    count = f"{sum(map(len, kinds))} questions of {len(kinds)} kinds, each beside up to {MOST_OF_A_KIND - 1} others"
    text = "\n".join((count, "", *aligned(lines)))
    store("routing-rephrasing", text)
    print(text)
    return 0


def _kinds(data: Path) -> Iterator[list[str]]:
    """Questions of a length that is compared, by set and task."""
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for name in PUBLISHED:
        for row in read_labels(path_of(data, name)):
            if FEWEST_WORDS <= len(row.prompt.split()) <= MOST_WORDS:
                found[name, row.task].add(row.prompt)
    for key in sorted(found):
        yield sorted(found[key])


def _mistaken(questions: Sequence[str]) -> set[str]:
    """Those that are taken for the same as any other, which none is."""
    return {question for pair in combinations(questions, 2) if is_same_question(*pair) for question in pair}


def _in_other_words(question: str, random: Random) -> Iterator[str]:
    """The question after small changes."""
    words = question.split()
    yield f"Please {question}"
    yield f"{question} Explain it step by step."
    yield f"No, I mean: {question}"
    for count in (1, 2):
        left_out = random.sample(range(len(words)), count)
        yield " ".join(word for place, word in enumerate(words) if place not in left_out)
    changed = random.randrange(len(words))
    yield " ".join("something" if place == changed else word for place, word in enumerate(words))


if __name__ == "__main__":
    sys.exit(main())
