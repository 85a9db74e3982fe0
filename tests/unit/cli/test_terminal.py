"""What commands write."""

import json

import pytest

from farthing.cli.terminal import advancing, complain, print_json, print_table, say, shown, usd, waiting


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "unknown"),
        (0, "$0.00"),
        (1234.5, "$1,234.50"),
        (1.0, "$1.00"),
        (0.25, "$0.250000"),
        (0.000001, "$0.000001"),
        (0.000000125, "$0.000000125"),
        (-0.5, "-$0.500000"),
        (-12.345, "-$12.35"),
    ],
)
def test_money_shows_as_many_digits_as_it_takes(amount: float | None, shown: str) -> None:
    """Small amounts do not vanish, and what is unknown is not nothing."""
    assert usd(amount) == shown


def test_a_table_is_plain_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    """Piped output is aligned text without frames, colours or cut-off cells."""
    print_table(["model", "cost"], [["gpt", "$1.00"], ["a-very-long-name" * 9, "$10.00"]], numbers=["cost"])
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"{'model':<144}    cost",
        f"{'gpt':<144}   $1.00",
        f"{'a-very-long-name' * 9}  $10.00",
    ]


def test_a_table_without_rows_is_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to show is no error."""
    print_table(["model", "cost"], [])
    assert capsys.readouterr().out == "model  cost\n"


def test_a_terminal_gets_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal rich draws it, and brackets in a name stay as they are."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_table(["model"], [["[red]x"]])
    out = capsys.readouterr().out
    assert "[red]x" in out
    assert "─" in out


def test_json_is_one_line_for_programs_and_indented_for_people(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Piped JSON can be read line by line."""
    print_json({"name": "é", "n": [1]})
    assert capsys.readouterr().out == '{"name": "é", "n": [1]}\n'
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_json({"n": 1})
    assert json.loads(capsys.readouterr().out) == {"n": 1}


def test_a_complaint_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever an error says, it stays on its line, on standard error."""
    complain("two\n lines")
    assert capsys.readouterr() == ("", "farthing: two lines\n")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain é 漢 ●", "plain é 漢 ●"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b2J", "\\x9b2J"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\u202egpt", "\\u202egpt"),
        ("\ud800", "\\ud800"),
    ],
)
def test_nothing_that_others_wrote_is_obeyed(text: str, seen: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal is told what is there, and not to do it: in lines, cells and complaints."""
    assert shown(text) == seen
    say(text)
    print_table(["name"], [[text]])
    complain(text.replace("\n", "").replace("\t", ""))
    out, err = capsys.readouterr()
    assert out.splitlines() == [seen, "name", seen]
    assert err.removesuffix("\n").isprintable()


def test_json_holds_nothing_that_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    """Not even what JSON itself allows as it is; programs read the same."""
    print_json({"name": "\x1b[2J\x9b2J\x7f"})
    out = capsys.readouterr().out
    assert out == '{"name": "\\u001b[2J\\u009b2J\\u007f"}\n'
    assert json.loads(out)["name"] == "\x1b[2J\x9b2J\x7f"


def test_long_work_is_seen_where_somebody_watches(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On standard error of a terminal, and nowhere else."""
    with waiting("scoring"):
        pass
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with waiting("scoring"):
        pass
    out, err = capsys.readouterr()
    assert out == ""
    assert "scoring" in err


def test_a_bar_tells_the_share_where_somebody_watches(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On standard error of a terminal, and nowhere else."""
    with advancing("scoring") as advance:
        advance(0.5)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with advancing("scoring") as advance:
        advance(0.25)
    out, err = capsys.readouterr()
    assert out == ""
    assert "scoring" in err
    assert "25%" in err
