"""What a streamed event costs can still be measured."""

import pytest

from benchmarks import streaming_cases


def test_every_part_of_a_stream_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Framed, understood, put together, and through the whole gateway, whose last event is looked at."""
    monkeypatch.setattr(streaming_cases, "REPEATS", 1)
    monkeypatch.setattr(streaming_cases, "STREAMS", 2)
    figures = streaming_cases.measured()
    assert [name for name in figures if name.startswith("an event, cut out")] == [
        "an event, cut out of its chunk",
        "an event, cut out and understood",
        "an event, cut out, understood and put together",
    ]
    assert {"an event, cache on", "an event, cache off"} <= figures.keys()
