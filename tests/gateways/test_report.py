"""The printed tables, to the letter."""

import textwrap
from pathlib import Path

from benchmarks.gateways.__main__ import BEGIN, END, publish
from benchmarks.gateways.report import full, goals, ratios
from benchmarks.machine import RESULTS, ROOT
from tests.gateways.figures import contender, run, sample


def block(text: str) -> str:
    """An indented text as it is printed."""
    return textwrap.dedent(text).strip("\n")


def test_a_row_tells_everybody_beside_us() -> None:
    """Requests, ratio, processor time, added latency; below it who is missing and why."""
    taken = run(
        {
            "forwarded": {
                "direct to the mock": [sample(per_second=250_000, cpu_us=1.9, p50_us=50, p99_us=90)],
                "Farthing": [sample(per_second=21_234, cpu_us=45.0, p50_us=250, p99_us=1090)],
                "LiteLLM": [sample(per_second=99.5, cpu_us=9_900, p50_us=700_050, p99_us=900_090, keeps_pace=False)],
            }
        },
        missing={"Bifrost": "cannot be had"},
    )
    assert full(taken, ["Noted."]).partition("\n\n")[0] == block("""
        Forwarded, no two prompts the same  requests/s  Farthing x  CPU µs  Farthing x  added p50 ms  p99 ms
        direct to the mock                     250,000           -    1.90           -        (0.05)  (0.09)
        Farthing                                21,234      1.00 x    45.0      1.00 x          0.20    1.00
        LiteLLM                                   99.5       213 x   9,900       220 x          700*    900*
          Bifrost: cannot be had
          LiteLLM: * cannot keep the pace, so that its queue grows
    """)


def test_streams_are_told_by_event_and_first_byte() -> None:
    """Not by request."""
    taken = run(
        {
            "streaming": {
                "direct to the mock": [sample(events_per_second=31_000, event_cpu_us=3, first_p50_us=100)],
                "Farthing": [sample(events_per_second=30_500, event_cpu_us=12, first_p50_us=400, first_p99_us=1900)],
            }
        }
    )
    assert full(taken, []).partition("\n\n")[0] == block("""
        Streamed, 34 events 10 ms apart  events/s  CPU µs/event  Farthing x  first byte: added p50 ms  p99 ms
        direct to the mock                 31,000          3.00           -                    (0.10)  (0.90)
        Farthing                           30,500          12.0      1.00 x                      0.30    1.00
    """)


def test_what_should_not_be_is_told() -> None:
    """Errors, company on the core, and cached answers that came from the vendor after all."""
    ours = sample(reached=0.5, errors=3, first_error="cut", foreign=0.25)
    text = full(run({"hit": {"Farthing": [ours]}}), [])
    assert "  Farthing: 3 errors in a round, the first: cut\n" in text
    assert "  Farthing: other processes took up to 25% of its core, so it could answer less\n" in text
    assert "  Farthing: 0.50 requests reached the vendor for each answer\n" in text


def test_a_hit_that_never_reaches_the_vendor_is_as_it_should_be() -> None:
    """Nor does anybody remark on a forward that reaches it once."""
    taken = run({"hit": {"Farthing": [sample(reached=0)]}, "forwarded": {"Farthing": [sample(reached=1)]}})
    assert "reached the vendor" not in full(taken, [])


def test_sizes_and_workers_stand_below_the_rows() -> None:
    """Version, start and memory of each; throughput of one worker and of two."""
    taken = run({"hit": {"Farthing": [sample(mib=55.5)]}}, workers=(1000.0, 1850.0))
    assert block("""
        Versions and sizes  version  first 200 after s  MiB at rest  MiB under load
        Farthing                1.0               0.50         40.0            55.5
        LiteLLM               1.109               0.50         40.0               -

        Workers with a fifth of a core each, the rest with room  requests/s     x
        --workers 1                                                   1,000     1
        --workers 2                                                   1,850  1.85
    """) in full(taken, [])


def test_goals_stand_beside_what_was_reached() -> None:
    """Reached, missed, or not measured."""
    taken = run({"forwarded": {"Farthing": [sample(per_second=30_000, cpu_us=60)], "LiteLLM": [sample()]}})
    lines = goals(taken).splitlines()
    assert lines[1].split("  ")[0] == "forwarded, times LiteLLM"
    assert lines[1].split()[-5:] == ["200", "x", "300", "x", "reached"]
    assert lines[2].endswith("not measured")
    assert any(
        line.startswith("processor time, forwarded") and line.endswith("60.0 µs        missed") for line in lines
    )


def test_the_short_table_has_a_column_for_each_row() -> None:
    """What we do ourselves, the others with their versions, and a dash where one took no part."""
    taken = run(
        {"forwarded": {"Farthing": [sample(per_second=1000)], "LiteLLM": [sample(per_second=4)]}},
        contenders={"Farthing": contender(), "LiteLLM": contender("1.109", hit="has none")},
    )
    assert ratios(taken) == block("""
        |  | forwarded | cached hit | CPU per streamed event | TLS upstream |
        | --- | --- | --- | --- | --- |
        | **Farthing itself** | 1,000/s, 10.0 µs | -/s, - µs | - µs | -/s, - µs |
        | LiteLLM 1.109 | 250 x | - | - | - |
    """)


def test_the_readme_keeps_what_stands_around_the_table(tmp_path: Path) -> None:
    """Only the table between the two marks is new."""
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n", encoding="utf-8")
    publish("| new |", readme)
    assert readme.read_text(encoding="utf-8") == f"before\n\n{BEGIN}\n| new |\n{END}\n\nafter\n"


def test_the_readme_tells_the_last_stored_run() -> None:
    """The table there is the one at the end of the results."""
    stored = (RESULTS / "gateways.txt").read_text(encoding="utf-8").rstrip()
    told = (ROOT / "README.md").read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()
    assert told
    assert stored.endswith(f"\n\n{told}")
