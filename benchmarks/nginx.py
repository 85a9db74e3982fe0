"""nginx as the mock of a vendor, and as the proxy that sets the limit for any gateway."""

from __future__ import annotations

import http.client
import json
import textwrap
from pathlib import Path

from tests.servers.process import Server, free_port, private_folder, program

COMPLETION = {
    "id": "chatcmpl-mock",
    "object": "chat.completion",
    "created": 1_760_000_000,
    "model": "mock",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "An event loop waits for many things at once on one thread. It pays where a server mostly "
                "waits: thousands of connections then cost memory for their state, not a stack and a switch each.",
            },
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 27, "completion_tokens": 41, "total_tokens": 68},
}
UPSTREAM_CONNECTIONS = 128


class Nginx(Server):
    """One worker on one core; `serving` is what stands inside its http block."""

    def __init__(self, serving: str, *, port: int, core: int) -> None:
        folder = private_folder("nginx")
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        spools = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
        (folder / "nginx.conf").write_text(
            textwrap.dedent(f"""
            daemon off;
            worker_processes 1;
            pid {folder}/pid;
            error_log stderr;
            events {{ worker_connections 4096; }}
            http {{
              access_log off;
              keepalive_requests 1000000000;
              {spools}
              {serving}
            }}
            """),
            encoding="utf-8",
        )
        command: list[str | Path] = [
            "taskset",
            "-c",
            str(core),
            program("nginx"),
            "-p",
            folder,
            "-c",
            folder / "nginx.conf",
        ]
        super().__init__("nginx", folder=folder, port=port, command=[*command, "-e", "stderr"])

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its master process."""
        assert self._process is not None
        return self._process.pid

    def ready(self) -> bool:
        """Whether it answers with the completion."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("POST", "/v1/chat/completions", b"{}")
            return bool(json.loads(connection.getresponse().read()) == COMPLETION)
        except (OSError, http.client.HTTPException, ValueError):
            return False
        finally:
            connection.close()


def mock(core: int) -> Nginx:
    """A vendor that answers every request with the same completion at once."""
    port = free_port()
    body = json.dumps(COMPLETION).replace("'", "\\'")
    answer = f"default_type application/json; return 200 '{body}';"
    return Nginx(f"server {{ listen 127.0.0.1:{port}; location / {{ {answer} }} }}", port=port, core=core)


def proxy(upstream: Nginx, core: int) -> Nginx:
    """The least a gateway can do: pass the bytes on over kept connections."""
    port = free_port()
    pool = f"keepalive {UPSTREAM_CONNECTIONS}; keepalive_requests 1000000000;"
    passing = 'proxy_pass http://vendor; proxy_http_version 1.1; proxy_set_header Connection "";'
    return Nginx(
        f"upstream vendor {{ server 127.0.0.1:{upstream.port}; {pool} }}\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ {passing} }} }}",
        port=port,
        core=core,
    )
