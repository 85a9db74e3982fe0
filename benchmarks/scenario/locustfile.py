"""Locust's users: of ten questions six are short, three are code or medium, one is a design task; and some reads.

Runs in an environment of its own, so it may import nothing but locust and what needs no package.
"""

from __future__ import annotations

import json
import random
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from locust import FastHttpUser, between, events, task

from benchmarks.scenario import questions

SEED = 418
END = "data: [DONE]"
_dice = random.Random(SEED)
_answered: list[str] = []
"""The ids of all questions that were answered."""


@events.init_command_line_parser.add_listener
def take_options(parser: ArgumentParser) -> None:
    """Where the ids go."""
    parser.add_argument("--answered", help="file for the ids of the answered questions")


@events.quitting.add_listener
def keep_answered(environment: Any, **_: Any) -> None:  # noqa: ANN401 (locust's own)
    """One id on each line."""
    Path(environment.parsed_options.answered).write_text("\n".join(_answered), encoding="utf-8")


class Person(FastHttpUser):
    """Asks, reads the answer to its end, waits a moment. One task in ten reads the figures."""

    wait_time = between(0.01, 0.1)

    @task(54)
    def short_question(self) -> None:
        """By the native route, whose answers are kept."""
        self._ask("/complete", {"prompt": questions.short(_dice), "auto_route": True}, "short question")

    @task(27)
    def medium_question(self) -> None:
        """In OpenAI's dialect."""
        self._ask("/v1/chat/completions", _chat(questions.medium(_dice)), "code and medium")

    @task(9)
    def design_task(self) -> None:
        """In OpenAI's dialect as a stream."""
        self._ask("/v1/chat/completions", _chat(questions.design(_dice), stream=True), "design task, streamed")

    @task(5)
    def read_providers(self) -> None:
        """Which models there are."""
        self._read("/v1/providers", "models")

    @task(5)
    def read_usage(self) -> None:
        """What was spent."""
        self._read("/v1/usage?group_by=model", "total")

    def _ask(self, path: str, body: dict[str, Any], name: str) -> None:
        with self.client.post(path, json=body, name=name, catch_response=True) as response:
            if response.status_code != 200:
                response.failure(f"status {response.status_code}")
            elif body.get("stream") and not (response.text or "").rstrip().endswith(END):
                response.failure("the stream has no end")
            else:
                _answered.append(response.headers["x-request-id"])

    def _read(self, path: str, field: str) -> None:
        with self.client.get(path, name=path.partition("?")[0], catch_response=True) as response:
            if response.status_code != 200 or field not in json.loads(response.text or "{}"):
                response.failure(f"status {response.status_code}, or no `{field}`")


def _chat(text: str, *, stream: bool = False) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": text}], "stream": stream}
