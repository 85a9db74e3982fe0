"""farthing top: what a running gateway does, live."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from farthing.cli.terminal import AsJson, ConfigFile, GatewayUrl, complain, print_json, print_table, say

if TYPE_CHECKING:
    from types import FrameType

    from farthing.cli.top.feed import Watch
    from farthing.cli.top.figures import Figures

PATIENCE_S = 5.0
"""How long an answer of the gateway may take."""
TURN_S = 0.1
"""Between two looks at the keyboard."""
BRIEF = 20
"""Requests that are shown where nobody watches."""


def top(
    *,
    once: Annotated[bool, typer.Option("--once", help="Print what is so now, and end.")] = False,
    url: GatewayUrl = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Watch what is spent and saved, and by which models. With --json, print an object for each change."""
    from farthing.cli.configured import gateway_for
    from farthing.cli.top.feed import LIVE, Line, Questions, Watch

    gateway = gateway_for(url, config, patience_s=PATIENCE_S)
    watch = Watch(Questions(gateway), Line(lambda: gateway.listen(LIVE)))
    try:
        if as_json:
            _print_changes(watch, once=once)
        elif once or not sys.stdout.isatty():
            _print_once(watch.figures)
        else:
            _show(watch, gateway.url)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        # What is still in the buffer would be written, and fail, once more at the end.
        sys.stdout = None
    finally:
        watch.line.close()


def _print_changes(watch: Watch, *, once: bool) -> None:
    from msgspec import to_builtins
    from msgspec.structs import replace

    told, trouble = None, None
    while True:
        # What changes by itself is no change.
        figures = replace(watch.figures, generated_at="", age_s=0.0, requests_per_s=0.0)
        if figures != told:
            print_json(to_builtins(watch.figures))
            sys.stdout.flush()
            told = figures
        if watch.trouble != trouble:
            trouble = watch.trouble
            if trouble is not None:
                complain(trouble)
        if once:
            return
        while not watch.turn(TURN_S):
            pass


def _print_once(figures: Figures) -> None:
    from farthing.cli.top.sections import SECTIONS, month, numbers, sentence

    say(sentence(figures))
    for name, value in [*numbers(figures), *month(figures)]:
        say(f"{name:<12} {value}")
    for make in SECTIONS.values():
        section = make(figures)
        print()
        if section.rows:
            columns = section.columns
            named = [column.title for column in columns]
            print_table(named, section.rows[:BRIEF], numbers=[column.title for column in columns if column.is_number])
        else:
            say(section.empty)


def _show(watch: Watch, url: str) -> None:
    from rich.console import Console
    from rich.live import Live

    from farthing.cli.top.choice import Choice
    from farthing.cli.top.keyboard import keyboard
    from farthing.cli.top.screen import screen

    signals: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        # What a handler raises is lost where a finaliser happens to run.
        signals.append(number)
        raise KeyboardInterrupt

    # The terminal is put in order again on the way out.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    console = Console()
    choice = Choice()
    with keyboard() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        drawn = None
        while not signals:
            size = console.size
            if drawn != (size, choice) or watch.turn(TURN_S):
                live.update(screen(watch, url, choice=choice, width=size.width, height=size.height), refresh=True)
                drawn = (size, choice)
            key = pressed()
            if key == "q" and not choice.is_typing:
                return
            choice = choice.after(key)
