"""LiteLLM's proxy, as its own pages tell to run it in production, on each server that it can run on."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.gateways.contestant import Contestant, Peer
from benchmarks.gateways.installing import python_environment, python_version
from benchmarks.gateways.rig import SERVED_CORE, Rig, pinned
from benchmarks.gateways.rows import Call, Row
from tests.servers.process import free_port, private_folder

REQUIREMENTS = ("litellm[proxy]>=1.100,!=1.107.*", "granian", "gunicorn", "uvloop", "httptools")
"""The newest release whose own requirements the registry can meet; 1.107.0 was tampered with."""
KEY = "sk-the-master-key-of-this-benchmark-0123456789"
ENVIRONMENT = {"LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
"""Errors alone are logged; no .env file is read and no price list fetched at the start."""


class LiteLLM(Contestant):
    """On Granian: of its three servers the one that spends the least on a request.

    Where answers are kept there is another one that does, since it costs a request even where it is not asked to.
    """

    title = "LiteLLM"
    server_option: tuple[str, ...] = ("--run_granian",)

    def __init__(self, rig: Rig, *, keeps: bool = False) -> None:
        self._keeping = None if keeps else type(self)(rig, keeps=True)
        environment = python_environment("litellm", REQUIREMENTS)
        self.version = python_version(environment, "litellm")
        folder, port = private_folder("litellm"), free_port()
        file = folder / "config.yaml"
        file.write_text(json.dumps(configuration(rig.url, rig.tls_url, keeps=keeps)), encoding="utf-8")
        program: list[str | Path] = [*pinned(SERVED_CORE), environment / "bin" / "litellm", "--config", file]
        served = ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1", "--telemetry", "False"]
        peer = Peer("LiteLLM", folder=folder, port=port, command=[*program, *served, *self.server_option])
        peer.environment = {**rig.environment(folder), **ENVIRONMENT}
        self.server = peer
        peer.asked = self.call("forwarded")

    def on(self, row: Row) -> Contestant:
        """The one that keeps answers, for those."""
        return self._keeping if self._keeping and row == "hit" else self

    def start(self) -> float:
        """As every contestant; the other one is started and frozen after it."""
        seconds = super().start()
        if self._keeping:
            self._keeping.start()
            self._keeping.rest()
        return seconds

    def remove(self) -> None:
        """Both."""
        if self._keeping:
            self._keeping.remove()
        super().remove()

    def call(self, row: Row) -> Call:
        """With its master key: virtual keys need PostgreSQL, and cost it more."""
        return Call(
            url=f"http://127.0.0.1:{self.server.port}",
            model="mock-tls" if row == "tls" else "mock",
            headers={"authorization": f"Bearer {KEY}"},
        )


class OnUvicorn(LiteLLM):
    """On the server it recommends for almost all deployments."""

    title = "LiteLLM, uvicorn"
    server_option = ()


class OnGunicorn(LiteLLM):
    """On Gunicorn with Uvicorn's workers."""

    title = "LiteLLM, gunicorn"
    server_option = ("--run_gunicorn",)


def configuration(url: str, tls_url: str, *, keeps: bool) -> dict[str, object]:
    """As its page on production has it; answers are kept in memory where it `keeps` them."""
    models = [
        {
            "model_name": name,
            "litellm_params": {"model": "openai/mock", "api_key": "any", "api_base": f"{vendor}/v1"},
        }
        for name, vendor in (("mock", url), ("mock-tls", tls_url))
    ]
    return {
        "model_list": models,
        "general_settings": {"master_key": KEY},
        "litellm_settings": {
            "set_verbose": False,
            "json_logs": True,
            **({"cache": True, "cache_params": {"type": "local"}} if keeps else {}),
        },
    }
