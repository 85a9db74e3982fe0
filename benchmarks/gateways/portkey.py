"""Portkey's gateway under Node, as its package starts it without the page for people."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from benchmarks.gateways.contestant import Contestant, Peer
from benchmarks.gateways.installing import node_package
from benchmarks.gateways.rig import SERVED_CORE, Rig, pinned
from benchmarks.gateways.rows import Call, Row
from tests.servers.process import free_port, private_folder

PACKAGE, OVERRIDES = "@portkey-ai/gateway", {"@hono/node-server": "1.14.1"}
"""With newer releases of the server below it, which it asks for, every stream is answered with 500 (its issue 1389)."""


class Portkey(Contestant):
    """Headless, NODE_ENV=production; who is asked stands in each request's headers, no key is checked."""

    title = "Portkey"
    absent: ClassVar[Mapping[Row, str]] = {
        "hit": "the open gateway has no cache: it answers x-portkey-cache-status DISABLED"
    }

    def __init__(self, rig: Rig) -> None:
        package = node_package("portkey", PACKAGE, OVERRIDES)
        self.version = str(json.loads((package / "package.json").read_text(encoding="utf-8"))["version"])
        folder, port = private_folder("portkey"), free_port()
        node = shutil.which("node") or "node"
        program: list[str | Path] = [*pinned(SERVED_CORE), node, package / "build" / "start-server.js"]
        peer = Peer("Portkey", folder=folder, port=port, command=[*program, "--headless", f"--port={port}"])
        peer.environment = {**rig.environment(folder), "NODE_ENV": "production"}
        self.server = peer
        self._hosts = {"tls": f"{rig.tls_url}/v1"}
        self._host = f"{rig.url}/v1"
        peer.asked = self.call("forwarded")

    def call(self, row: Row) -> Call:
        """With the vendor's address as a custom host."""
        headers = {
            "authorization": "Bearer any",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": self._hosts.get(row, self._host),
        }
        return Call(url=f"http://127.0.0.1:{self.server.port}", headers=headers)
