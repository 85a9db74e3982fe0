"""What the replay came to: money and quality of `auto` beside every honest alternative, as a table."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

import msgspec

from benchmarks.replay.passes import Pass
from benchmarks.replay.recordings import CHEAP, STRONG, Recording
from benchmarks.tables import aligned

USD = 10**9
"""Nano-dollars in a dollar."""
RESAMPLES = 1000
HEAD = ("strategy", "GPT-4", "Mixtral", "cost USD", "of GPT-4's", "saved", "quality", "cache hits", "seconds")


class Outcome(msgspec.Struct, frozen=True):
    """Both passes over the recordings, and how many rows of the ledger were compared."""

    first: Pass
    second: Pass
    rows: int


class Share(msgspec.Struct, frozen=True):
    """A way to divide prompts between the two models: its cost in nano-dollars and its mean quality 0..1."""

    strong: float
    """The part of the prompts that the strong model gets, 0..1."""
    cost: float
    quality: float


def shared(recordings: Sequence[Recording], model_for: Callable[[Recording], str]) -> Share:
    """What it comes to when `model_for` chooses."""
    chosen = [(recording, model_for(recording)) for recording in recordings]
    return Share(
        strong=sum(model == STRONG for _, model in chosen) / len(chosen),
        cost=sum(recording.cost(model, model) for recording, model in chosen),
        quality=sum(recording.models[model].quality for recording, model in chosen) / len(chosen),
    )


def mixed(cheap: Share, strong: Share, cost: float) -> Share:
    """ZERO: what mixing the two models blindly gives for this money; a router below it is worth nothing."""
    part = (cost - cheap.cost) / (strong.cost - cheap.cost)
    return Share(strong=part, cost=cost, quality=cheap.quality + part * (strong.quality - cheap.quality))


def above_zero(recordings: Sequence[Recording], chosen: Mapping[str, str]) -> tuple[float, float, float]:
    """Quality of the choices by recording id over ZERO at their cost: as measured, and a 95% bootstrap interval."""
    dice = random.Random(0)

    def difference(sample: Sequence[Recording]) -> float:
        auto = shared(sample, lambda recording: chosen[recording.id])
        cheap, strong = shared(sample, lambda _: CHEAP), shared(sample, lambda _: STRONG)
        return auto.quality - mixed(cheap, strong, auto.cost).quality

    drawn = sorted(difference(dice.choices(recordings, k=len(recordings))) for _ in range(RESAMPLES))
    edge = RESAMPLES // 40
    return difference(recordings), drawn[edge], drawn[-edge - 1]


def by_length(recordings: Sequence[Recording], strong: float) -> Share:
    """The longest prompts to the strong model, as many as a share of `strong` is."""
    ordered = sorted(recordings, key=lambda recording: len(recording.prompt), reverse=True)
    longest = {recording.id for recording in ordered[: round(strong * len(ordered))]}
    return shared(recordings, lambda recording: STRONG if recording.id in longest else CHEAP)


def oracle(recording: Recording) -> str:
    """The model to ask if one knew: the cheap one unless only the strong one is right."""
    better = recording.models[STRONG].quality > recording.models[CHEAP].quality
    return STRONG if better else CHEAP


def table(outcome: Outcome) -> str:
    """The table, and below it what was checked."""
    recordings = [reply.recording for reply in outcome.first.replies]
    chosen = {reply.recording.id: reply.model for reply in outcome.first.replies}
    auto = shared(recordings, lambda recording: chosen[recording.id])
    strong, cheap = shared(recordings, lambda _: STRONG), shared(recordings, lambda _: CHEAP)
    free = Share(strong=auto.strong, cost=0, quality=auto.quality)
    name = f"auto ({', '.join(sorted({reply.strategy for reply in outcome.first.replies}))})"
    lines = [
        _line(name, auto, strong, (_hits(outcome.first), f"{outcome.first.seconds:.1f}")),
        _line("auto, second pass", free, strong, (_hits(outcome.second), f"{outcome.second.seconds:.1f}")),
        _line("always GPT-4", strong, strong),
        _line("always Mixtral", cheap, strong),
        _line("ZERO at auto's cost", mixed(cheap, strong, auto.cost), strong),
        _line("prompt length, same share", by_length(recordings, auto.strong), strong),
        _line("oracle", shared(recordings, oracle), strong),
    ]
    gain, low, high = above_zero(recordings, chosen)
    routing = (
        f"Quality of auto over ZERO at the same cost: {gain:+.4f}, 95% interval {low:+.4f} to {high:+.4f} (bootstrap)."
    )
    return "\n".join([*aligned([HEAD, *lines]), "", routing, *_checked(outcome)])


def _line(name: str, share: Share, strong: Share, run: tuple[str, str] = ("", "")) -> tuple[str, ...]:
    of_strong = share.cost / strong.cost
    return (
        name,
        f"{share.strong:.1%}",
        f"{1 - share.strong:.1%}",
        f"{share.cost / USD:.6f}",
        f"{of_strong:.1%}",
        f"{1 - of_strong:.1%}",
        f"{share.quality:.4f}",
        *run,
    )


def _hits(each: Pass) -> str:
    return str(sum(reply.cache == "hit" for reply in each.replies))


def _checked(outcome: Outcome) -> list[str]:
    replies = [*outcome.first.replies, *outcome.second.replies]
    streams = sum(reply.stream for reply in replies)
    return [
        f"{len(replies)} answers, {streams} of them streamed, each as recorded of the model its header names.",
        f"{outcome.rows} rows and the totals of the ledger equal an independent recomputation to the nano-dollar.",
        "The second pass came from the cache alone: no upstream call, cost 0.",
        "Tokens: one for each four characters begun. Prices: 24.7 and 0.24 USD per million tokens.",
    ]
