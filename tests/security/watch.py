"""A gateway that notes whatever code comes to life in it, and every process that it starts (rows S26 and S27)."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.architecture.source import package_modules
from tests.security.bodies import GOOD
from tests.security.fuzzing import ENVIRONMENT, MASTER, SETTINGS
from tests.security.wire import JSON, Answer, Wire
from tests.servers.gateway import Gateway

Event = tuple[str, str]
"""Its name, and what it was about."""
SQLALCHEMY = "def _generated_"
"""What the library writes for itself, once for each kind of statement."""
SEED = 20_261_122
OK = 200
PROGRAMS = [f"from farthing.app.{name} import main; main()" for name in ("replaying", "reporting")]
"""The processes that a request starts, with programs that never change; they load what they need each time."""
WATCH = """
import json, os, sys
told, armed = os.open({told!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND), {armed!r}
watched = {{"exec", "compile", "import", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system",
    "pty.spawn", "subprocess.Popen", "ctypes.dlopen", "marshal.loads", "pickle.find_class", "code.__new__"}}

def watch(event, arguments):
    if event in watched and os.path.exists(armed):
        first = arguments[1][-1] if event == "subprocess.Popen" else arguments[0]
        if event == "exec" and getattr(first, "co_filename", "") == "<string>":
            return
        text = first.decode(errors='replace') if isinstance(first, bytes) else str(first)
        os.write(told, (json.dumps([event, text]) + chr(10)).encode())

if sys.orig_argv[-1] not in {programs!r}:
    sys.addaudithook(watch)
"""


class Watched:
    """A gateway that notes each of these events while `armed` is there."""

    def __init__(self, folder: Path, started: Callable[[Gateway], Gateway]) -> None:
        self._told, self._armed = folder / "told", folder / "armed"
        (folder / "sitecustomize.py").write_text(
            WATCH.format(told=str(self._told), armed=str(self._armed), programs=PROGRAMS)
        )
        paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.gateway = started(Gateway(SETTINGS, environment={**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(paths)}))

    def during(self, work: Callable[[], object]) -> list[Event]:
        """What happened meanwhile: event and what it was about. What is compiled is told before it is executed."""
        self._armed.touch()
        work()
        self._armed.unlink()
        return [tuple(json.loads(line)) for line in self._told.read_text().splitlines()]


def form(annotation: str) -> str:
    """Whatever its spaces and parentheses; what is no expression stays as it is."""
    try:
        return ast.dump(ast.parse(annotation.strip(), mode="eval"))
    except SyntaxError:
        return annotation


def own_annotations() -> set[str]:
    """Types as they stand in the package, which decoders are made of when they are first needed."""
    nodes = [node for module in package_modules() for node in ast.walk(module.tree)]
    found = [node.annotation for node in nodes if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation]
    found += [
        node.returns for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) if node.returns
    ]
    return {form(ast.unparse(annotation)) for annotation in found}


def warm_up(gateway: Gateway) -> None:
    """One request, good as can be told, of each operation."""
    key = (("authorization", f"Bearer {MASTER}"),)

    def ask(method: str, path: str, body: bytes = b"") -> Answer:
        with Wire(gateway.port) as wire:
            return wire.ask(method.upper(), path, body, (*JSON, *key))

    described = ask("get", "/api/openapi.json").json["paths"]
    for path, method in ((path, method) for path, methods in described.items() for method in methods):
        body = GOOD.replace(b"small", b"demo/small") if method in {"post", "patch"} else b""
        ask(method, path.replace("{", "").replace("}", ""), body)
    ask("post", "/complete", b'{"prompt":"x"}')
    # What writes reports is loaded by the first good question for one.
    assert ask("get", "/reports/2026-11").status == OK
    # The libraries of statistics are loaded by the first question about an experiment.
    made = ask(
        "post",
        "/experiments",
        b'{"name":"warm","control_strategy":"complexity","test_strategy":"hybrid","sample_size":100}',
    )
    assert ask("get", f"/experiments/{made.json['id']}/results").status == OK
    assert ask("post", f"/experiments/{made.json['id']}/stop").status == OK
    assert ask("get", "/experiments/plan?effect=0.1").status == OK


def foreign(found: Sequence[Event]) -> set[Event]:
    """What of it is no decoder for our own types, no statement of our own queries, and no process of ours."""
    own = own_annotations()
    return {
        (event, text)
        for event, text in found
        if event != "subprocess.Popen" or text not in PROGRAMS
        if event != "compile" or not (text.startswith(SQLALCHEMY) or form(text) in own)
    }
