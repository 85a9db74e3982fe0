"""farthing top against a gateway: in a terminal, in a pipe, and where nobody answers."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.cli.conftest import PROGRAM, environment
from tests.servers.command import Farthing
from tests.servers.gateway import Gateway, running

SECONDS = 60.0
_SEQUENCE = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|[=>()][A-Z0-9]?)")
OUT_OF_SCREEN = "\x1b[?1049l"


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, *arguments: str, home: str, **environ: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 110, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self.process = subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=home,
            env={"PATH": os.environ["PATH"], "HOME": home, "TERM": "xterm-256color", **environ},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        self._theirs = theirs
        self.raw = ""
        """All that was written."""

    def sees(self, text: str) -> bool:
        """Whether the text is written from now on, in time."""
        start, end = len(self.raw), time.monotonic() + SECONDS
        while text not in _SEQUENCE.sub("", self.raw[start:]):
            if time.monotonic() > end:
                return False
            self._read(0.1)
        return True

    def press(self, keys: str) -> None:
        """Types them."""
        os.write(self._ours, keys.encode())

    def ended(self) -> int:
        """The status, once it has ended."""
        end = time.monotonic() + SECONDS
        while self.process.poll() is None and time.monotonic() < end:
            self._read(0.1)
        self._read(0.0)
        return self.process.wait(0)

    @property
    def settings(self) -> list[object]:
        """The terminal's."""
        return termios.tcgetattr(self._theirs)

    def remove(self) -> None:
        """Ends all of it."""
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def _read(self, patience_s: float) -> None:
        while select.select([self._ours], [], [], patience_s)[0]:
            self.raw += os.read(self._ours, 65536).decode(errors="replace")
            patience_s = 0.0


@pytest.fixture(scope="module")
def demo() -> Iterator[Gateway]:
    """A gateway with simulated models."""
    with running("") as gateway:
        yield gateway


@pytest.fixture
def top(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Starts `farthing top` with these arguments; keywords are its environment."""
    started: list[Terminal] = []

    def start(*arguments: str, **environ: str) -> Terminal:
        started.append(Terminal("top", *arguments, home=str(tmp_path), **environ))
        return started[-1]

    yield start
    for terminal in started:
        terminal.remove()


def asked(gateway: Gateway, content: str) -> None:
    """A request is answered."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=SECONDS)
    body = {"model": "demo/small", "messages": [{"role": "user", "content": content}], "max_tokens": 5}
    headers = {"content-type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    assert connection.getresponse().status == 200
    connection.close()


def url_of(gateway: Gateway) -> str:
    """Where it answers."""
    return f"http://127.0.0.1:{gateway.port}"


def test_a_terminal_follows_what_is_asked(demo: Gateway, top: Callable[..., Terminal]) -> None:
    """It shows the first request without a key pressed, one table by its key, and `q` leaves the terminal as it was."""
    terminal = top("--url", url_of(demo))
    assert terminal.sees("no request yet")
    assert terminal.sees("● live")
    asked(demo, "hello")
    assert terminal.sees("ANSWERED BY")
    terminal.press("r")
    assert terminal.sees("ANSWERED BY")
    terminal.press("/q")
    assert terminal.sees("/q▏")
    terminal.press("\r")
    assert terminal.sees("none of the requests has q")
    assert terminal.settings != terminal.before
    terminal.press("q")
    assert terminal.ended() == 0
    assert terminal.settings == terminal.before
    assert OUT_OF_SCREEN in terminal.raw


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_good_order(demo: Gateway, top: Callable[..., Terminal], sent: signal.Signals) -> None:
    """The screen that was there before is back, without colour where none is wanted."""
    terminal = top("--url", url_of(demo), NO_COLOR="1")
    assert terminal.sees("so far")
    terminal.process.send_signal(sent)
    assert terminal.ended() == 0
    assert terminal.settings == terminal.before
    assert OUT_OF_SCREEN in terminal.raw
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", terminal.raw)


def test_it_goes_on_when_the_gateway_is_back(top: Callable[..., Terminal]) -> None:
    """While nobody answers, the last figures stay with the reason above them."""
    with running("[server]\nlame_duck_s = 0\ndrain_s = 1\n") as gateway:
        terminal = top("--url", url_of(gateway))
        assert terminal.sees("● live")
        gateway.stop()
        assert terminal.sees("no gateway answers")
        gateway.start()
        assert terminal.sees("● live")
        assert terminal.process.poll() is None


def test_a_pipe_gets_plain_text_once(demo: Gateway, farthing: Farthing) -> None:
    """Without a terminal, and with `--once`, it ends by itself."""
    asked(demo, "hello")
    said = farthing("top", "--url", url_of(demo))
    assert (said.status, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0].endswith((" less than you would have paid.", " spent, and nothing saved yet."))
    assert [line.split()[0] for line in lines if line.startswith(("model ", "time ", "Spent"))] == [
        "Spent",
        "model",
        "time",
    ]
    assert "\x1b" not in said.out


def test_programs_get_an_object_for_each_change(demo: Gateway, tmp_path: Path) -> None:
    """One at once, and one when something was asked; whoever closes the pipe ends it without a complaint."""
    command = [str(PROGRAM), "top", "--json", "--url", url_of(demo)]
    with subprocess.Popen(
        command, env=environment(tmp_path, {}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = json.loads(process.stdout.readline())
        asked(demo, "and again")
        second = json.loads(process.stdout.readline())
        assert second["today"]["requests"] == first["today"]["requests"] + 1
        assert second["requests"][0]["model"] == "demo/small"
        process.stdout.close()
        asked(demo, "once more")
        assert process.stderr.read() == ""
        assert process.wait(SECONDS) == 0


def test_one_object_and_no_more(demo: Gateway, farthing: Farthing) -> None:
    """`--json --once` is a line of JSON."""
    said = farthing("top", "--json", "--once", "--url", url_of(demo))
    assert json.loads(said.out)["is_demo"] is True


def test_where_nobody_answers_it_says_so(farthing: Farthing) -> None:
    """One line, and a status."""
    said = farthing("top", "--url", "http://127.0.0.1:9")
    assert (said.status, said.out) == (1, "")
    assert said.err == (
        "farthing: no gateway answers at http://127.0.0.1:9 (Connection refused): "
        "start one with `farthing serve`, or name it with --url\n"
    )
