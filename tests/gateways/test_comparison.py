"""Medians, ratios and goals of a run, as they are told."""

import pytest

from benchmarks.gateways.comparison import GOALS, Goal, Run
from tests.gateways.figures import run, sample

NOTHING = run({})


def test_a_figure_is_the_median_of_its_rounds() -> None:
    """One slow round changes nothing."""
    rounds = [sample(per_second=each) for each in (100, 900, 1000)]
    assert run({"forwarded": {"Farthing": rounds}}).median("forwarded", "Farthing", "per_second") == 900


def test_what_took_no_part_has_no_figures() -> None:
    """Neither a median nor a ratio nor an added latency is made up."""
    assert NOTHING.median("hit", "Portkey", "per_second") is None
    assert NOTHING.ratio("hit", "Portkey") is None
    assert NOTHING.cpu_ratio("hit", "Portkey") is None
    assert NOTHING.added_ms("hit", "Portkey", "p50_us") is None
    assert NOTHING.loaded_mib("Portkey") is None
    assert NOTHING.scale is None


def test_a_ratio_is_ours_to_theirs() -> None:
    """Of requests a second the more, of streamed events the less processor time counts."""
    taken = run(
        {
            "forwarded": {"Farthing": [sample(per_second=20_000)], "LiteLLM": [sample(per_second=100)]},
            "streaming": {"Farthing": [sample(event_cpu_us=10)], "LiteLLM": [sample(event_cpu_us=900)]},
        }
    )
    assert taken.ratio("forwarded", "LiteLLM") == 200
    assert taken.ratio("streaming", "LiteLLM") == 90


def test_processor_time_has_a_ratio_of_its_own() -> None:
    """It holds even where others had their share of the core."""
    taken = run({"forwarded": {"Farthing": [sample(cpu_us=40)], "LiteLLM": [sample(cpu_us=8_800)]}})
    assert taken.cpu_ratio("forwarded", "LiteLLM") == 220


def test_a_peer_that_answered_nothing_has_no_ratio() -> None:
    """Nothing is divided by nought."""
    taken = run({"forwarded": {"Farthing": [sample()], "LiteLLM": [sample(per_second=0)]}})
    assert taken.ratio("forwarded", "LiteLLM") is None


def test_latency_is_what_is_added_to_the_mock() -> None:
    """TLS and cached answers are held against the plain request, streams against the stream."""
    ours = [sample(p50_us=1250, first_p50_us=800)]
    taken = run(
        {
            "forwarded": {"direct to the mock": [sample(p50_us=50)], "Farthing": ours},
            "tls": {"Farthing": ours},
            "streaming": {"direct to the mock": [sample(first_p50_us=300)], "Farthing": ours},
        }
    )
    assert taken.added_ms("forwarded", "Farthing", "p50_us") == 1.2
    assert taken.added_ms("tls", "Farthing", "p50_us") == 1.2
    assert taken.added_ms("streaming", "Farthing", "first_p50_us") == 0.5


def test_memory_under_load_is_the_most_of_all_rows() -> None:
    """Whichever row it was."""
    taken = run({"forwarded": {"Farthing": [sample(mib=60)]}, "hit": {"Farthing": [sample(mib=75), sample(mib=70)]}})
    assert taken.loaded_mib("Farthing") == 75


def test_pace_is_kept_only_where_every_round_kept_it() -> None:
    """One round that fell behind is told."""
    taken = run({"forwarded": {"LiteLLM": [sample(), sample(keeps_pace=False)], "Farthing": [sample()]}})
    assert taken.kept_pace("forwarded", "Farthing")
    assert not taken.kept_pace("forwarded", "LiteLLM")


@pytest.mark.parametrize(
    ("value", "bounds", "met"),
    [
        (200.0, (200, None), True),
        (199.9, (200, None), False),
        (50.0, (None, 50), True),
        (50.1, (None, 50), False),
        (None, (None, 50), None),
    ],
)
def test_a_goal_is_met_at_its_bound(
    value: float | None, bounds: tuple[float | None, float | None], met: bool | None
) -> None:
    """And neither met nor missed where nothing was measured."""

    def figure(_: Run) -> float | None:
        return value

    assert Goal(title="any", figure=figure, at_least=bounds[0], at_most=bounds[1]).met(NOTHING) is met


def test_every_goal_has_one_bound_and_a_figure() -> None:
    """Each reads a whole run, and says None of an empty one."""
    whole = [sample(per_second=100, events_per_second=9, event_cpu_us=12)]
    everybody = ("direct to the mock", "Farthing", "LiteLLM", "Portkey", "TensorZero", "nginx proxy_pass")
    rows = dict.fromkeys((*everybody, "nginx return 200"), whole)
    measured = run({"forwarded": rows, "hit": rows, "streaming": rows, "tls": rows}, workers=(1000.0, 1900.0))
    empty = run({}, contenders={})
    for goal in GOALS:
        assert (goal.at_least is None) != (goal.at_most is None), goal.title
        assert goal.figure(measured) is not None, goal.title
        assert goal.figure(empty) is None, goal.title


def test_scale_is_two_workers_to_one() -> None:
    """As a multiple."""
    assert run({}, workers=(1000.0, 1900.0)).scale == 1.9
