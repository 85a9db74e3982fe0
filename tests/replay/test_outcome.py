"""The table weighs `auto` against every honest alternative."""

from collections.abc import Sequence

from benchmarks.replay.outcome import Outcome, Share, above_zero, by_length, mixed, oracle, shared, table
from benchmarks.replay.passes import Pass, Reply
from benchmarks.replay.recordings import CHEAP, STRONG, Recording

STRONG_COST = (1 + 2 + 3 + 3 * 10) * 24_700
CHEAP_COST = (1 + 2 + 3 + 3 * 5) * 240


def replies(recordings: Sequence[Recording], cache: str) -> Pass:
    """What a caller got if the last prompt went to the strong model, all others to the cheap one."""
    last = recordings[-1]
    return Pass(
        [
            Reply(each, each.id, STRONG if each is last else CHEAP, "hybrid", cache, stream=each is last)
            for each in recordings
        ],
        1.25,
    )


def test_a_share_is_paid_by_the_recordings(made_up: Sequence[Recording]) -> None:
    """Cost and quality are those of the chosen model's own answers."""
    assert shared(made_up, lambda _: STRONG) == Share(strong=1, cost=STRONG_COST, quality=2 / 3)
    assert shared(made_up, lambda _: CHEAP) == Share(strong=0, cost=CHEAP_COST, quality=1 / 3)
    assert shared(made_up, oracle) == Share(strong=1 / 3, cost=(1 + 10) * 24_700 + (2 + 3 + 10) * 240, quality=2 / 3)


def test_prompt_length_sends_the_longest_to_the_strong_model(made_up: Sequence[Recording]) -> None:
    """A third of three prompts is the longest one, on which both are wrong."""
    expected = Share(strong=1 / 3, cost=(3 + 10) * 24_700 + (1 + 2 + 10) * 240, quality=1 / 3)
    assert by_length(made_up, 1 / 3) == expected


def test_zero_lies_on_the_line_between_the_single_models() -> None:
    """Half of the way in money is half of the way in quality."""
    cheap, strong = Share(strong=0, cost=100, quality=0.5), Share(strong=1, cost=300, quality=0.75)
    assert mixed(cheap, strong, 200) == Share(strong=0.5, cost=200, quality=0.625)


def test_the_gain_over_zero_comes_with_its_interval(made_up: Sequence[Recording]) -> None:
    """Choosing as an oracle is better than ZERO for certain; one model for all is ZERO itself."""
    many = [Recording(f"{copy}-{each.id}", each.prompt, each.models) for copy in range(100) for each in made_up]
    gain, low, high = above_zero(many, {each.id: oracle(each) for each in many})
    auto, cheap, strong = (shared(many, choice) for choice in (oracle, lambda _: CHEAP, lambda _: STRONG))
    assert gain == auto.quality - mixed(cheap, strong, auto.cost).quality
    assert 0.1 < low < gain < high < 0.4
    assert above_zero(many, dict.fromkeys((each.id for each in many), CHEAP)) == (0, 0, 0)


def test_the_table_shows_money_beside_quality(made_up: Sequence[Recording]) -> None:
    """Each way has its line; only the two passes have cache hits and seconds."""
    text = table(Outcome(replies(made_up, "miss"), replies(made_up, "hit"), rows=6))
    lines = [line.split() for line in text.splitlines()]
    assert lines[1] == ["auto", "(hybrid)", "33.3%", "66.7%", "0.000324", "36.5%", "63.5%", "0.3333", "0", "1.2"]
    assert lines[2] == ["auto,", "second", "pass", "33.3%", "66.7%", "0.000000", "0.0%", "100.0%", "0.3333", "3", "1.2"]
    assert lines[3] == ["always", "GPT-4", "100.0%", "0.0%", "0.000889", "100.0%", "0.0%", "0.6667"]
    assert lines[4] == ["always", "Mixtral", "0.0%", "100.0%", "0.000005", "0.6%", "99.4%", "0.3333"]
    assert "6 answers, 2 of them streamed" in text
