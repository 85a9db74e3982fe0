"""What the process writes to standard error."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest

from farthing.telemetry import logs
from tests.unit.telemetry.test_prometheus import exchange

FAILURE = "ValueError: invalid literal for int() with base 10: 'none'"


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


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_callers_write_cannot_forge_a_line(
    form: Literal["json", "text"], capsys: pytest.CaptureFixture[str]
) -> None:
    """Line breaks and terminal escapes in a model's name stay inside one line."""
    logs.configure("info", form)
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


def test_people_read_moment_level_event_and_facts(capsys: pytest.CaptureFixture[str]) -> None:
    """In this order, in UTC to the microsecond."""
    logs.configure("info", "text")
    logger = logging.getLogger("some.library")
    record = logger.makeRecord("some.library", logging.INFO, "", 1, "said %s", ("so",), None)
    record.created = 1_795_212_000.25
    logger.handle(record)
    logs.LogSink().record(exchange(status="error", error_code="upstream_timeout"))
    first, second = capsys.readouterr().err.splitlines()
    assert first == "2026-11-20T22:00:00.250000Z [info    ] said so"
    assert "[warning ] request request_id=r status=error " in second


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_exception_is_told_with_its_traceback(
    form: Literal["json", "text"], capsys: pytest.CaptureFixture[str]
) -> None:
    """Inside the line for programs, below it for people."""
    logs.configure("info", form)
    try:
        int("none")
    except ValueError:
        logging.getLogger("some.library").exception("it failed")
    said = capsys.readouterr().err
    line, *below = said.splitlines()
    if form == "json":
        found = json.loads(line)
        assert (found["event"], below) == ("it failed", [])
        assert found["exception"].endswith(FAILURE)
    else:
        assert line.endswith("[error   ] it failed")
        assert below[0] == "Traceback (most recent call last):"
        assert below[-1] == FAILURE
