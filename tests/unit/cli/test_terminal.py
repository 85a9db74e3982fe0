"""What commands write."""

import json

import pytest

from farthing.cli.terminal import complain, print_json, print_table, usd


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
