"""How `farthing top` is drawn."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from farthing.cli.terminal import CommandError
from farthing.cli.top.choice import Choice
from farthing.cli.top.feed import Watch
from farthing.cli.top.figures import figures_of
from farthing.cli.top.screen import screen
from farthing.cli.top.sections import sentence, spark
from tests.unit.cli.top.answers import HOSTILE, Pipe, answers, nothing, request, trial, usage, watching

URL = "http://127.0.0.1:8000"
ALL = Choice()


def drawn(watch: Watch, width: int, height: int, *, choice: Choice = ALL, color: bool = False) -> list[str]:
    """Its lines."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=color, color_system="256" if color else None)
    console.print(screen(watch, URL, choice=choice, width=width, height=height))
    return out.getvalue().splitlines()


def test_a_wide_terminal_shows_everything() -> None:
    """From the sentence to the last requests, at 120 characters."""
    watch = watching(answers(), socket=Pipe("{}"))
    watch.turn(0.1)
    four = "".join(
        f"{cell:<29}" for cell in ("Spent today  $2.50", "Saved today  $3.50", "From cache  25.0%", "Errors  0.50%")
    )
    assert [line.rstrip() for line in drawn(watch, 120, 40)] == [
        "farthing top  ● live  0.1 req/s, p95 +0.5 ms  http://127.0.0.1:8000",
        "November so far: $4,182.00 saved, 38% less than you would have paid.",
        f"╭{'─' * 118}╮",
        f"│ {four:<117}│",
        f"│ {'Budget  $6,823.00 of $10,500.00 █████████████░░░░░░░ 65% (gateway, month)':<117}│",
        f"│ {'Forecast  $10,080.00 at the end of the month (95%: $9,770.00 to $10,390.00)':<117}│",
        f"│ {'Last 24 hours  ▁▁▁▁▁▁▁▁▁▁█▁▁▁▁▁▁▁▁▁▁▁▅▂':<117}│",
        f"╰{'─' * 118}╯",
        "",
        "MODEL  REQ/H      $/H  OF SPEND         SAVED/H  $/M IN, OUT  LATENCY  ERRORS  STATE",
        "gone       4    $3.00  ████████    75%  unknown      unknown   310 ms   25.0%  ? unknown",
        "small     60    $1.00  ██          25%    $3.00     0.1, 0.4   310 ms    0.0%  ● healthy",
        "new        1  unknown               0%  unknown      unknown   310 ms    0.0%  ◐ trying",
        "idle       0    $0.00               0%    $0.00     0.1, 0.4        -       -  ○ away",
        "",
        "TEAM     REQUESTS  $ THIS MONTH  OF SPEND           SAVED",
        "support        60         $3.00  ████████    75%    $9.00",
        "search          4         $1.00  ██          25%  unknown",
        "",
        "EXPERIMENT  ARMS                RESULTS  STATUS   VERDICT",
        "support     large / hybrid  40 of 3,140  running  too early to say",
        "won         large / hybrid  40 of 3,140  running  test",
        "",
        "TIME      ASKED FOR  ANSWERED BY  STRATEGY       COST      SAVED    TOOK  STATUS",
        "12:00:29  auto       small        hybrid    $0.001900  $0.014700  302 ms  ok",
        "12:00:15  auto       small        hybrid        $0.00  $0.014700  302 ms  cached",
        "12:00:00  auto       small        hybrid    $0.001900  $0.014700  302 ms  error",
        "q quit · m models · t teams · e experiments · r requests · a all · / filter",
    ]


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("height", [6, 15, 24, 60])
def test_nothing_is_larger_than_the_terminal(width: int, height: int) -> None:
    """However much there is to tell, and however long the names are."""
    rows = [request(second % 60, model="m" * 300) for second in range(100)]
    many = answers(
        requests={"data": rows},
        experiments={"data": [trial("e" * 300)] * 20},
        models={"rows": [usage(f"{number}" * 100, 1, 1.0, 1.0) for number in range(30)]},
    )
    lines = drawn(watching(many), width, height)
    assert len(lines) <= height
    assert max(map(cell_len, lines)) <= width


def test_a_narrow_terminal_keeps_what_matters() -> None:
    """At 40 characters: the whole sentence, the numbers, and of each model what it costs and its state."""
    lines = [line.rstrip() for line in drawn(watching(answers()), 40, 30)]
    assert lines[1:3] == ["November so far: $4,182.00 saved, 38%", "less than you would have paid."]
    assert f"│ {'Saved today  $3.50':<37}│" in lines
    assert "small    $1.00  ● healthy" in lines


@pytest.mark.parametrize("name", ["models", "teams", "experiments", "requests"])
def test_a_table_can_have_the_room_for_itself(name: str) -> None:
    """The others are not there then."""
    text = "\n".join(drawn(watching(answers()), 80, 24, choice=Choice(only=name)))
    heads = {"models": "REQ/H", "teams": "THIS MONTH", "experiments": "VERDICT", "requests": "ANSWERED BY"}
    assert [head in text for head in heads.values()] == [name == other for other in heads]


def test_a_filter_leaves_the_rows_that_have_its_text() -> None:
    """In any cell and any case; where none has it that is said, and below stands what is typed or kept."""
    lines = [line.rstrip() for line in drawn(watching(answers()), 120, 40, choice=Choice(text="SMALL"))]
    assert [line.split()[0] for line in lines if "small" in line] == ["small", *("12:00:29", "12:00:15", "12:00:00")]
    assert "none of the teams has SMALL" in lines
    assert lines[-1].endswith("/ filter: SMALL")
    assert drawn(watching(answers()), 80, 24, choice=Choice(text="x", is_typing=True))[-1].startswith("/x▏ enter keeps")


def test_what_is_wrong_is_told_above_what_was_known_last() -> None:
    """A lost line, old figures, simulated models, and why there is no answer."""
    old = {"generated_at": "2026-11-21T12:00:30.000Z", "age_seconds": 12.4, "demo": True}
    watch = watching(answers(metrics=old), CommandError("nobody \x1b[2Jthere"))
    while watch.trouble is None:
        watch.turn(1.0)
    lines = drawn(watch, 100, 30)
    assert lines[0].rstrip() == (
        "farthing top  ○ reconnecting  0.1 req/s, p95 +0.5 ms  12 s old  DEMO: simulated models  http://127.…"
    )
    assert lines[2].rstrip() == "nobody \\x1b[2Jthere"


def test_nothing_that_others_wrote_is_obeyed() -> None:
    """Neither escape sequences, nor line breaks, nor signs that turn the direction, nor a library's markup."""
    bad = HOSTILE + "[bold]x[/bold]"
    hostile = answers(
        requests={"data": [request(1, model=bad, requested_model=bad, strategy=bad)]},
        experiments={"data": [trial(bad)]},
        models={"rows": [usage(bad, 1, 1.0, 1.0)]},
        budgets={
            "data": [
                {"name": bad, "spent": 1.0, "limit": 2.0, "window": "day"}
                | dict.fromkeys(("subject", "tenant", "scope"))
            ]
        },
    )
    plain = "".join(drawn(watching(hostile), 400, 40))
    assert plain.isprintable()
    assert plain.count("\\x1b[2J\\x1b]0;owned\\x07\\u202eevil\\n[bold]x[/bold]") == 6
    colored = "\n".join(drawn(watching(hostile), 400, 40, color=True))
    assert "\x1b[2J" not in colored
    assert "\x1b]0" not in colored


def test_an_empty_gateway_tells_what_to_do() -> None:
    """In place of each table one line, and a sentence that claims nothing."""
    text = "\n".join(drawn(watching(nothing()), 80, 24))
    assert "November so far: nothing was spent yet." in text
    assert 'no request yet: send one to /v1/chat/completions with "model": "auto"' in text
    assert "no experiment yet: farthing experiments plan" in text
    assert "no model is configured" in text
    assert "no request was made for a team yet" in text
    assert "Budget" not in text
    assert "Forecast" not in text


@pytest.mark.parametrize(
    ("savings", "told"),
    [
        ({"actual_cost": 2.0, "saved": -1.0, "percent": -100.0}, "$2.00 spent, and nothing saved yet."),
        ({"actual_cost": 2.0, "saved": None, "percent": None}, "$2.00 spent, and nothing saved yet."),
        ({"actual_cost": 0.0, "saved": 5.0, "percent": 100.0}, "$5.00 saved, 100% less than you would have paid."),
    ],
)
def test_the_sentence_claims_no_more_than_is_so(savings: dict[str, float | None], told: str) -> None:
    """A loss is not called a saving."""
    assert sentence(figures_of(answers(savings=savings))) == f"November so far: {told}"


def test_a_line_of_blocks_fills_its_height() -> None:
    """Nothing at all stays at the ground."""
    assert spark([0.0, 1.0, 3.5, 7.0]) == "▁▂▅█"
    assert spark([0.0, 0.0]) == "▁▁"
    assert spark([]) == ""
