"""What is known of a prompt before anything is learned here: longer ones gain more from better models, on any task."""

from __future__ import annotations

from math import exp, log1p

from msgspec import Struct


class LengthPrior(Struct, frozen=True):
    """The part of the prior that comes with the package that holds on tasks it was not fitted to."""

    usual: float
    """Mean logarithm of the characters of a prompt, and one."""
    step: float
    """By how many standard deviations, within a task, a prompt asks for more for each unit of that logarithm."""
    weight: float
    """By how much the logarithm of the odds of a score moves for each of these."""
    most: float
    """And at most, either way."""

    def moved(self, complexity: float, chars: int) -> float:
        """The score 0..1 of a prompt of so many characters; 0 and 1 stay."""
        beyond = self.weight * self.step * (log1p(chars) - self.usual)
        odds = exp(max(-self.most, min(self.most, beyond)))
        return complexity * odds / (1 - complexity + complexity * odds)


COLD = LengthPrior(usual=5.2013, step=1.7181, weight=0.15, most=0.5)
"""As `make train-prior` tells the first two."""
