"""A real server under test: started, stopped, killed, frozen and thawed at will."""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

START_SECONDS = 60.0
STOP_SECONDS = 10.0
_GUARD = 'read -r thawed || kill -KILL "$@"'
"""A frozen process hears of no other signal; the line breaks when whoever froze it dies."""
_CLAIMS: list[socket.socket] = []
"""Names that tests running beside these ones find taken; the kernel frees them when this process ends."""
_STARTER = ThreadPoolExecutor(1)
"""The kernel ends a leashed process with the thread that started it: this one lives as long as the test run."""


class ServerFailed(Exception):
    """A server is not installed, did not start, or did not stop; the message says what to do or what its log says."""


def program(name: str, *folders: Path) -> Path:
    """The executable called `name`, from the PATH, the system's own folders, or `folders`. Raises `ServerFailed`."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", *map(str, folders)])
    if found := shutil.which(name, path=path):
        return Path(found)
    raise ServerFailed(f"{name} is not installed: run `make servers`, or install it so that it is on the PATH")


def free_port() -> int:
    """A port below those the kernel hands out, ours while this process lives, also when its server is down."""
    for port in random.SystemRandom().sample(range(10_000, 32_000), 100):
        claim = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError), socket.socket() as probe:
            claim.bind(f"\0farthing-port-{port}")
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                _CLAIMS.append(claim)
                return port
        claim.close()
    raise ServerFailed("no free port between 10000 and 32000")


def unprivileged_user() -> str | None:
    """Whom servers run as that refuse to run as root; None where we are nobody special already."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def unprivileged(command: Sequence[str | Path], *, last_signal: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command as that user; should the test run be killed, the kernel sends it `last_signal`."""
    user = unprivileged_user()
    identity = [f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"] if user else []
    return leashed(command, *identity, last_signal=last_signal)


def leashed(command: Sequence[str | Path], *identity: str, last_signal: signal.Signals) -> list[str]:
    """The command, as the user that setpriv's options in `identity` name, on the same leash."""
    leash = f"--pdeathsig={last_signal.name.removeprefix('SIG')}"
    return [str(program("setpriv")), *identity, leash, "--", *map(str, command)]


def private_folder(name: str) -> Path:
    """A new folder that only the servers' user can read, short enough for a Unix socket inside."""
    folder = Path(tempfile.mkdtemp(prefix=f"farthing-{name}-"))
    if user := unprivileged_user():
        shutil.chown(folder, user)
    return folder


class Server:
    """One process and its children on a private port, with its files in a private folder."""

    stop_signal = signal.SIGTERM
    as_ourselves = False
    """Whether it runs as the user who runs the tests, who may be root."""
    environment: Mapping[str, str] | None = None
    """What it is started with; None means what the test run was."""

    def __init__(self, name: str, *, folder: Path, port: int, command: Sequence[str | Path]) -> None:
        self.name = name
        self.folder = folder
        self.port = port
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen = False
        self._guard: subprocess.Popen[bytes] | None = None
        self.statuses: list[int | None] = []
        """With which it ended each time it was told to; None where it had to be killed."""

    @property
    def log(self) -> Path:
        """What the server said."""
        return self.folder / "log"

    @property
    def pid(self) -> int:
        """Its process; the workers' parent where there are several."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether its process lives, frozen or not."""
        return self._process is not None and self._process.poll() is None

    def ready(self) -> bool:
        """Whether it answers in its own protocol."""
        raise NotImplementedError

    def start(self) -> None:
        """Returns once it answers; nothing happens where it already runs. Raises `ServerFailed` with the log's end."""
        if self.running:
            return
        with self.log.open("ab") as log:
            self._process = _STARTER.submit(
                subprocess.Popen[bytes],
                (leashed if self.as_ourselves else unprivileged)(self._command, last_signal=self.stop_signal),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            ).result()
        if not _until(lambda: self.ready() or not self.running, START_SECONDS) or not self.running:
            self.kill()
            raise ServerFailed(f"{self.name} did not start: {self.log.read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        """Ends it in good order, and hard where that takes too long."""
        self.thaw()
        if self._process and self.running:
            self._process.send_signal(self.stop_signal)
            _until(lambda: not self.running, STOP_SECONDS)
            self.statuses.append(self._process.poll())
        self.kill()

    def kill(self) -> None:
        """Ends it and its children at once, as a crash would."""
        if self._process is None:
            return
        self._signal_all(signal.SIGKILL)
        self._process.wait()
        self._process = None
        self._frozen = False
        self._dismiss()

    def freeze(self) -> None:
        """Its sockets stay open and accept, and nothing ever answers. It dies with the test run even so."""
        pids = self._signal_all(signal.SIGSTOP)
        self._frozen = True
        if self._guard is None:
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "guard", *map(str, pids)], stdin=subprocess.PIPE, start_new_session=True
            )

    def thaw(self) -> None:
        """Lets it go on where it was frozen."""
        if self._frozen:
            self._dismiss()
            self._signal_all(signal.SIGCONT)
            self._frozen = False

    def mend(self) -> None:
        """Undoes whatever the last test did to it."""
        self.thaw()
        self.start()

    def remove(self) -> None:
        """Stops it and deletes its files."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _dismiss(self) -> None:
        """Ends the guard, who has nothing to do any more."""
        if self._guard is not None:
            self._guard.communicate(b"\n")
            self._guard = None

    def _signal_all(self, number: signal.Signals) -> list[int]:
        """The processes that were sent the signal."""
        if self._process is None:
            return []
        pids = [self._process.pid, *_descendants(self._process.pid)]
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        return pids


class HttpServer(Server):
    """One that speaks HTTP without encryption."""

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        return f"http://127.0.0.1:{self.port}"


def _descendants(ancestor: int) -> list[int]:
    """All processes below one; PostgreSQL's children lead sessions of their own, so a process group is not enough."""
    listing = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listing.splitlines()]
    found, fresh = list[int](), {ancestor}
    while fresh := {pid for pid, parent in pairs if parent in fresh}:
        found += fresh
    return found


def _until(done: Callable[[], bool], seconds: float) -> bool:
    """Whether `done` came true in time."""
    end = time.monotonic() + seconds
    while not (answer := done()) and time.monotonic() < end:
        time.sleep(0.02)
    return answer
