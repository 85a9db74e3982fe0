"""TensorZero's embedded gateway, on the local port that its Python package opens for OpenAI clients."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from benchmarks.gateways.contestant import Contestant, Peer
from benchmarks.gateways.installing import python_environment, python_version
from benchmarks.gateways.rig import SERVED_CORE, Rig, pinned
from benchmarks.gateways.rows import Call, Row
from tests.servers.process import private_folder

REQUIREMENTS = ("tensorzero",)
PATH = "/openai/v1/chat/completions"
SETTINGS = """
[gateway]
observability.enabled = false
[models.mock]
routing = ["mock"]
[models.mock.providers.mock]
type = "openai"
model_name = "mock"
api_base = "{url}/v1/"
api_key_location = "none"
[models.mock-tls]
routing = ["mock"]
[models.mock-tls.providers.mock]
type = "openai"
model_name = "mock"
api_base = "{tls_url}/v1/"
api_key_location = "none"
"""
PROGRAM = """
import signal, sys, tensorzero
stores = dict(clickhouse_url=None, postgres_url=None, valkey_url=None)
gateway = tensorzero._start_http_gateway(config_file=sys.argv[1], async_setup=False, **stores)
print(gateway.base_url, flush=True)
signal.pause()
"""
"""What its `patch_openai_client` does, without the client."""


class TensorZeroServer(Peer):
    """Chooses its port itself, and says which."""

    def ready(self) -> bool:
        """Whether it has said so, and answers there."""
        said = [line for line in self.log.read_text(encoding="utf-8").splitlines() if line.startswith("http://")]
        if not said:
            return False
        self.port = int(said[-1].split(":")[2].partition("/")[0])
        return super().ready()

    @property
    def asked(self) -> Call:  # type: ignore[override]
        """On the port of this start."""
        return Call(url=f"http://127.0.0.1:{self.port}", path=PATH, model="tensorzero::model_name::mock")


class TensorZero(Contestant):
    """Its fastest set-up: no key is checked, nothing is written down."""

    title = "TensorZero"
    absent: ClassVar[Mapping[Row, str]] = {"hit": "keeps answers in ClickHouse or Valkey only"}

    def __init__(self, rig: Rig) -> None:
        environment = python_environment("tensorzero", REQUIREMENTS)
        self.version = python_version(environment, "tensorzero")
        folder = private_folder("tensorzero")
        file, program = folder / "tensorzero.toml", folder / "serve.py"
        file.write_text(SETTINGS.format(url=rig.url, tls_url=rig.tls_url), encoding="utf-8")
        program.write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
        command: list[str | Path] = [*pinned(SERVED_CORE), environment / "bin" / "python", program, file]
        server = TensorZeroServer("TensorZero", folder=folder, port=0, command=command)
        server.environment = rig.environment(folder)
        self.server = server

    def call(self, row: Row) -> Call:
        """Its OpenAI route; a model behind TLS is another model."""
        model = "mock-tls" if row == "tls" else "mock"
        name = f"tensorzero::model_name::{model}"
        return Call(url=f"http://127.0.0.1:{self.server.port}", path=PATH, model=name)
