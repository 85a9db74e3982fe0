"""farthing serve and demo, as processes: how they start, obey signals and end."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from farthing.app.keyfile import KeyFile, Known
from farthing.app.storage import shared_secret
from farthing.background.clock import SystemClock
from farthing.domain.catalogue import VIRTUAL_MODELS
from farthing.domain.keys import Caller, Key
from farthing.domain.secrets import RANDOM_BYTES, digest, mint
from farthing.domain.tenancy import KeyChanges
from farthing.settings import Settings, load
from tests.integration.cli.conftest import PROGRAM, Program, environment
from tests.servers.process import free_port

SECONDS = 20.0
LOCAL = '[providers.local]\ndialect = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n'


class Running:
    """A gateway in a process group of its own, whose standard output is read line by line."""

    def __init__(self, folder: Path, arguments: tuple[str, ...], environ: dict[str, str]) -> None:
        self.port = free_port()
        with (folder / "stderr").open("w") as errors:
            self.process = subprocess.Popen(
                [PROGRAM, *arguments, "--port", str(self.port)],
                cwd=folder,
                env=environment(folder, environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self._folder = folder
        assert self.process.stdout is not None
        self._out: IO[str] = self.process.stdout

    def read_until(self, last: str) -> list[str]:
        """Its lines up to the first one that begins with `last`."""
        lines: list[str] = []
        while not lines or not lines[-1].startswith(last):
            line = self._out.readline()
            assert line, f"it ended after {lines}: {self.errors}"
            lines.append(line.rstrip("\n"))
        return lines

    @property
    def errors(self) -> str:
        """What it wrote to standard error."""
        return (self._folder / "stderr").read_text()

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def models(self) -> set[str]:
        """The models that can be asked, without the names that mean routing."""
        status, answer = self.get("/v1/models")
        assert status == 200, f"{answer} {self.errors}"
        return {model["id"] for model in answer["data"]} - {*VIRTUAL_MODELS}

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its status after this signal."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)

    def remove(self) -> None:
        """Ends whatever is left of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(SECONDS)
        self._out.close()


Serve = Callable[..., Running]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts `farthing` with these arguments in the test's folder; keywords are its environment."""
    started: list[Running] = []

    def start(*arguments: str, **environ: str) -> Running:
        started.append(Running(tmp_path, arguments, environ))
        return started[-1]

    yield start
    for running in started:
        running.remove()


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it comes true within the time that a slow machine may need."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if holds():
                return True
        time.sleep(0.05)
    return False


def listens(port: int) -> bool:
    """Whether anybody accepts connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_demo_starts_from_nothing_and_ends_in_good_order(serve: Serve, tmp_path: Path, command: str) -> None:
    """At most 15 lines, the first one honest, the last one when it answers; SIGTERM ends it with status 0."""
    key = {"OPENAI_API_KEY": "sk-canary"} if command == "demo" else {}
    running = serve(command, **key)
    lines = running.read_until("ready in ")
    assert lines[0].startswith("DEMO MODE")
    assert re.fullmatch(r"ready in \d+\.\d\d s", lines[-1])
    assert len(lines) <= 15
    assert running.get("/readyz")[0] == 200
    assert running.models() >= {"demo/small", "demo/large"}
    assert running.end() == 0
    assert running.errors == ""
    assert (tmp_path / ".local/share/farthing/farthing-demo.db").exists()
    assert not (tmp_path / ".local/share/farthing/farthing.db").exists()


def test_json_is_one_line_when_ready(serve: Serve) -> None:
    """Programs that start a gateway read where it is."""
    running = serve("demo", "--json")
    [line] = running.read_until("{")
    ready = json.loads(line)
    assert (ready["status"], ready["demo"]) == ("ready", True)
    assert ready["address"] == f"http://127.0.0.1:{running.port}"
    assert running.get("/livez")[0] == 200


def test_ctrl_c_ends_it_as_well(serve: Serve) -> None:
    """Status 0, no traceback."""
    running = serve("demo")
    running.read_until("ready in ")
    assert running.end(signal.SIGINT) == 0
    assert running.errors == ""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sighup_rereads_the_configuration(serve: Serve, tmp_path: Path, workers: str) -> None:
    """A model added to the file can be asked for; a mistake in the file changes nothing."""
    file = tmp_path / "farthing.toml"
    text = f'{LOCAL}[[models]]\nname = "{{}}"\nprovider = "local"\n'
    file.write_text(text.format("before"))
    running = serve("serve", "--workers", workers)
    running.read_until("ready in ")
    assert running.models() == {"before"}
    file.write_text(text.format("after"))
    old = set(workers_of(running))
    running.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: running.models() == {"after"} and old.isdisjoint(workers_of(running)))
    file.write_text("[server]\nport = 'x'\n")
    running.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: "farthing.toml:2: server.port: expected a whole number" in running.errors)
    assert running.models() == {"after"}
    assert running.end() == 0


def test_several_workers_share_the_port(serve: Serve) -> None:
    """The last line comes once, when one answers; a killed worker is replaced, and all end with their parent."""
    running = serve("demo", "--workers", "2")
    lines = running.read_until("ready in ")
    assert len(lines) <= 15
    assert running.models() >= {"demo/small"}
    first = workers_of(running)
    assert len(first) == 2
    os.kill(first[0], signal.SIGKILL)
    assert eventually(lambda: len(workers_of(running)) == 2 and first[0] not in workers_of(running))
    assert eventually(lambda: running.get("/readyz")[0] == 200)
    assert running.end() == 0
    assert not listens(running.port)


def test_workers_do_not_outlive_their_parent(serve: Serve) -> None:
    """A killed parent leaves nobody behind who keeps the port."""
    running = serve("demo", "--workers", "2")
    running.read_until("ready in ")
    assert running.end(signal.SIGKILL) == -signal.SIGKILL
    assert eventually(lambda: not listens(running.port))


def workers_of(running: Running) -> list[int]:
    """The worker processes, without multiprocessing's own."""
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_taken_port_is_one_line(program: Program) -> None:
    """Whoever starts it twice is told what to do."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = program("serve", "--port", str(port))
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == (
        f"farthing: port {port} of 127.0.0.1 is in use: end what listens there, or choose another port with --port\n"
    )


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("192.0.2.1", "192.0.2.1 is no address of this machine: choose another with --host"),
        ("no such host", "server.host: expected an address or a host name"),
    ],
)
def test_an_address_that_cannot_be_had_is_one_line(program: Program, host: str, message: str) -> None:
    """What was wrong with the address, and what to do."""
    said = program("serve", "--host", host, "--port", "0", FARTHING_MASTER_KEY="0123456789abcdef")
    assert (said.returncode, said.stdout) == (1, "")
    assert message in said.stderr
    assert said.stderr.count("\n") == 1


def test_nobody_else_reaches_it_without_a_key(program: Program, serve: Serve, tmp_path: Path) -> None:
    """Off loopback it starts with a key in the database or a master key, and never without."""
    (tmp_path / "farthing.toml").write_text(f'[server]\nhost = "0.0.0.0"\n{LOCAL}')
    said = program("serve", "--port", "0")
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == (
        "farthing: 0.0.0.0 can be reached by others: set FARTHING_MASTER_KEY, or make a key with "
        "`farthing keys create NAME`, before the gateway listens there\n"
    )
    key = program("keys", "create", "app").stdout.strip()
    running = serve("serve")
    assert "  access     with a key" in running.read_until("ready in ")
    assert running.get("/v1/models")[0] == 401
    assert eventually(lambda: asks(running.port, key))
    assert running.end() == 0
    running = serve("serve", FARTHING_MASTER_KEY="0123456789abcdef")
    running.read_until("ready in ")
    assert asks(running.port, "0123456789abcdef")


def test_a_master_key_that_can_be_guessed_is_not_shown_to_others(program: Program, serve: Serve) -> None:
    """On loopback it may be as short as it likes."""
    said = program("serve", "--host", "0.0.0.0", "--port", "0", FARTHING_MASTER_KEY="0123456789abcde")  # noqa: S104
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == (
        "farthing: 0.0.0.0 can be reached by others, who could guess FARTHING_MASTER_KEY: take at least 16 random "
        "characters\n"
    )
    running = serve("serve", FARTHING_MASTER_KEY="k")
    running.read_until("ready in ")
    assert asks(running.port, "k")


def test_a_key_that_this_host_knew_is_enough_while_the_database_is_away(
    program: Program, serve: Serve, tmp_path: Path
) -> None:
    """Others may reach a gateway that starts without its database, where one of its keys is known."""
    away = {"DATABASE_URL": f"postgresql://farthing@127.0.0.1:{free_port()}/farthing"}
    (tmp_path / "farthing.toml").write_text(f'[server]\nhost = "0.0.0.0"\n{LOCAL}')
    said = program("serve", "--port", "0", **away)
    assert (said.returncode, said.stdout) == (1, "")
    assert "farthing doctor looks closer" in said.stderr
    secret = mint(bytes(RANDOM_BYTES))
    remember(load(tmp_path / "farthing.toml", environment(tmp_path, away)), secret)
    running = serve("serve", **away)
    running.read_until("ready in ")
    assert asks(running.port, secret)
    assert running.get("/readyz")[0] == 200
    assert running.get("/v1/models")[0] == 503


def remember(settings: Settings, secret: str) -> None:
    """The key as a worker of this host would have written it down."""
    assert settings.key_file is not None
    key = Key(caller=Caller(tenant="acme", key_id="a"), name="a", hint="…")
    now_us = SystemClock().now_us()
    known = Known(
        at_us=now_us,
        changes=KeyChanges(number=1, keys={digest(secret): key}, has_all=True, tenants=(), teams=()),
        owners=(),
        budgets=(),
        spent={},
        spent_at_us=now_us,
    )
    file = KeyFile(settings.key_file, shared_secret(settings), SystemClock())
    asyncio.run(file.keep(1, lambda: known))
    file.release()


CARELESS = """
from farthing.cli import main
from farthing.http import application

def added(app, route, add=application._add):
    add(app, route)
    app.add_api_route("/open", lambda: "anybody")

application._add = added
main()
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_route_without_a_policy_stops_the_start(tmp_path: Path, workers: str) -> None:
    """With its path; what else is not known to be safe is served by nobody until then."""
    said = subprocess.run(
        [sys.executable, "-c", CARELESS, "serve", "--port", "0", "--json", "--workers", workers],
        cwd=tmp_path,
        env=environment(tmp_path, {}),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert said.returncode == 1
    told = "farthing: the gateway does not start: /open has no policy: list it in farthing.http.routes"
    assert told in said.stderr.splitlines()


def asks(port: int, key: str) -> bool:
    """Whether this key opens the list of models."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", "/v1/models", headers={"authorization": f"Bearer {key}"})
        return connection.getresponse().status == 200


def test_figures_come_from_the_running_gateway(serve: Serve, program: Program) -> None:
    """spend, savings and why show the request that was just made."""
    running = serve("demo")
    running.read_until("ready in ")
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=SECONDS)
    with contextlib.closing(connection):
        body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "What is Python?"}]})
        connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        response = connection.getresponse()
        request_id = response.headers["x-request-id"]
        assert response.status == 200
        response.read()
    url = f"http://127.0.0.1:{running.port}"
    assert eventually(lambda: running.get("/v1/usage")[1]["total"]["requests"] == 1)
    spent = program("spend", FARTHING_URL=url)
    assert spent.stdout.splitlines()[1].split()[:2] == ["demo/small", "1"]
    saved = program("savings", FARTHING_URL=url)
    assert (saved.returncode, saved.stderr) == (0, "")
    why = program("why", request_id, FARTHING_URL=url)
    assert (why.returncode, why.stderr) == (0, "")
    assert f"request id    {request_id}" in why.stdout.splitlines()
    assert [line.split()[:2] for line in why.stdout.splitlines() if line.startswith("1 ")] == [["1", "demo/small"]]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_folder_that_cannot_be_had_stops_the_start(program: Program, tmp_path: Path, workers: str) -> None:
    """What the system said is told without a traceback, and no worker is started again and again."""
    (tmp_path / "file").touch()
    environ = {"XDG_DATA_HOME": str(tmp_path / "file"), "DATABASE_URL": f"sqlite:///{tmp_path}/x.db"}
    (tmp_path / "farthing.toml").write_text(LOCAL)
    said = program("serve", "--port", "0", "--workers", workers, **environ)
    assert said.returncode == 1
    assert "ready in" not in said.stdout
    lines = said.stderr.splitlines()
    assert [line for line in lines if not re.match("farthing: .*Not a directory", line)] == []
    assert 1 <= len(lines) <= int(workers)


def test_a_broken_file_stops_the_start(program: Program, tmp_path: Path) -> None:
    """File, line, key and expectation, in one line."""
    (tmp_path / "mine.toml").write_text("# mine\n[server]\nworkers = 0\n")
    said = program("serve", "--config", "mine.toml")
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == "farthing: mine.toml:3: server.workers: expected at least 1, got 0\n"
