"""What the process writes to standard error."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest

from farthing.telemetry import logs
from tests.unit.telemetry.test_prometheus import exchange


@pytest.fixture(autouse=True)
def undisturbed() -> Iterator[None]:
    """Other tests keep their own handlers."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("form", ["json", "text"])
def test_every_failed_request_is_one_line(form: Literal["json", "text"], capsys: pytest.CaptureFixture[str]) -> None:
    """With id, model, error and cost; as JSON where asked for."""
    logs.configure("info", form)
    logs.LogSink().record(exchange(status="error", error_code="upstream_timeout"))
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "upstream_timeout" in line
    if form == "json":
        found = json.loads(line)
        assert (found["level"], found["request_id"], found["cost_nano"]) == ("warning", "r", 1_500_000_000)


def test_of_undisturbed_requests_a_sample_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """One in a hundred."""
    logs.configure("info", "json")
    sink = logs.LogSink()
    for _ in range(3 * logs.SAMPLE):
        sink.record(exchange())
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_what_callers_write_cannot_forge_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Line breaks and terminal escapes in a model's name stay inside one line of JSON."""
    logs.configure("info", "json")
    logs.LogSink().record(exchange(status="error", model='x\n{"level": "forged"}\x1b[2J'))
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "\x1b" not in said


def test_other_libraries_speak_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    """At the configured level only."""
    logs.configure("warning", "json")
    logging.getLogger("some.library").info("quiet")
    logging.getLogger("some.library").warning("loud")
    found = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["level"]) for line in found] == [("loud", "warning")]
