"""`python -m benchmarks.routing.embeddings [DATA]`: what MiniLM adds to learned routing, and what it takes.

Needs the extra `embeddings`; the result is kept in benchmarks/results.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.machine import store
from benchmarks.routing.published import PUBLISHED
from benchmarks.routing.sets import DATA, path_of
from benchmarks.tables import aligned
from farthing.domain.routing.learning.predictor import Predictor
from farthing.embeddings import lacking
from farthing.embeddings.minilm import MiniLM
from farthing.insight.evaluation.evaluating import Question, Standing, evaluate
from farthing.insight.evaluation.figures import Figure
from farthing.insight.evaluation.learners import embedding, learning
from farthing.insight.learning.labels import Labelled, read_labels
from farthing.insight.learning.training import fit
from farthing.ports.embedding import Embed

COLUMNS = ("apgr", "cost@95", "cost@99", "cost@100")
MOST_ROWS = 1_000
"""Of a set, the first by their ids: minutes instead of an hour."""
WORDS = (15, 83, 220)
"""Of a prompt: about 20, 100 and 250 tokens, of which 128 are read."""
ROUNDS = 100
_TEXT = "Explain how the farthing went out of use in Britain, compare what it bought in 1850 with a penny, in a table."


def main() -> int:
    """Prints and keeps the figures of each set, with and without, and the times of both."""
    if missing := lacking():
        print(f"{', '.join(missing)} is not installed: run uv sync --extra embeddings.")
        return 1
    data, model = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA, MiniLM()
    sets = {name: sorted(read_labels(path_of(data, name)), key=lambda row: row.id)[:MOST_ROWS] for name in PUBLISHED}
    text = "\n\n".join([gains(sets, model), times(next(iter(sets.values())), model)])
    print(text)
    store("routing-embeddings", text)
    return 0


def gains(sets: dict[str, list[Labelled]], model: Embed) -> str:
    """A line for each set and router: figures with their intervals of 95%."""
    lines: list[tuple[str, ...]] = [("", "", *COLUMNS)]
    for name, rows in sets.items():
        found = evaluate(Question(rows=rows, learners={"learning": learning, "with MiniLM": embedding(model)}))
        lines += [(name, router, *_figures(found.routers[router])) for router in ("learning", "with MiniLM")]
    return "\n".join([f"first {MOST_ROWS:,} rows of each set", "", *aligned(lines)])


def times(rows: Sequence[Labelled], model: Embed) -> str:
    """Processor time of a decision without and with its embedding, in turns."""
    plain, reading = fit(rows), fit(rows, embed=model)
    lines: list[tuple[str, ...]] = [("words", "decision", "embedding", "both")]
    for words in WORDS:
        text = " ".join((_TEXT.split() * words)[:words])
        parts = (
            partial(plain.predict, text),
            partial(model, [text]),
            partial(_both, reading, model, text),
        )
        lines.append((str(words), *(f"{taken:.2f}" for taken in _medians(parts))))
    return "\n".join(["median processor time in ms, in turns, of one thread", "", *aligned(lines)])


def _both(predictor: Predictor, model: Embed, text: str) -> None:
    predictor.predict(text, model([text])[0])


def _medians(parts: Sequence[Callable[[], object]]) -> list[float]:
    """Of each part, in ms."""
    taken: list[list[float]] = [[] for _ in parts]
    for _ in range(ROUNDS):
        for part, its in zip(parts, taken, strict=True):
            began = time.thread_time_ns()
            part()
            its.append((time.thread_time_ns() - began) / 1e6)
    return [median(its) for its in taken]


def _figures(standing: Standing) -> list[str]:
    return [_told(figure) for column in COLUMNS if isinstance(figure := standing.figures[column], Figure)]


def _told(figure: Figure) -> str:
    return "never" if figure.value is None else f"{figure.value:g} ({figure.low}..{figure.high})"


if __name__ == "__main__":
    sys.exit(main())
