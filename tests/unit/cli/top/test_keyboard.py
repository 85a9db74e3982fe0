"""Keys as they are pressed."""

from __future__ import annotations

import io
import os
import pty
import termios

import pytest

from farthing.cli.top.keyboard import keyboard


def test_a_key_needs_no_end_of_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told at once, nothing where none was pressed, and the terminal is as before afterwards."""
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    with open(theirs, closefd=False) as typed:
        monkeypatch.setattr("sys.stdin", typed)
        with keyboard() as pressed:
            assert pressed() == ""
            os.write(ours, b"qr")
            assert [pressed(), pressed(), pressed()] == ["q", "r", ""]
            assert termios.tcgetattr(theirs) != before
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


def test_without_a_terminal_there_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is piped in is not read."""
    monkeypatch.setattr("sys.stdin", io.StringIO("q"))
    with keyboard() as pressed:
        assert pressed() == ""
