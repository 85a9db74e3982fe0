"""Makes the prior of `farthing.insight.learning` from folders and files of recorded outcomes.

python tools/train_prior.py PATH …
"""

from __future__ import annotations

import sys
from pathlib import Path

from farthing.insight.evaluation.costs import priced
from farthing.insight.learning import priors
from farthing.insight.learning.labels import read_labels


def main() -> None:
    """Writes the file beside the module that reads it."""
    paths = [Path(argument) for argument in sys.argv[1:]]
    found = [file for path in paths for file in (sorted(path.glob("*.jsonl*")) if path.is_dir() else [path])]
    rows = [row for file in found for row in priced(read_labels(file), {})]
    prior = priors.fit_prior(rows)
    Path(priors.__file__).with_name(priors.FILE).write_bytes(priors.packed(prior))
    print(f"of length alone, for farthing.domain.routing.cold: usual {prior.usual[1]:.4f}, step {prior.steps[1]:.4f}")


if __name__ == "__main__":
    main()
