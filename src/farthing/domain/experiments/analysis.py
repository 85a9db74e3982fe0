"""From results to figures and a verdict."""

from __future__ import annotations

from farthing.domain.experiments.data import Data
from farthing.domain.experiments.definition import Experiment
from farthing.domain.experiments.results import Results


def analyse(experiment: Experiment, data: Data) -> Results:
    """Everything that is known from these data. Takes milliseconds of CPU: call it off the event loop."""
    raise NotImplementedError
