"""nginx as the limit for any gateway, as a proxy and as a server, and as the TLS in front of the vendor's mock."""

from __future__ import annotations

import http.client
import json
import textwrap
from pathlib import Path

from tests.servers.process import HttpServer, Server, free_port, private_folder, program

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
UPSTREAM_CONNECTIONS = 512
STREAMED, ENCRYPTED = "/streamed", "/encrypted"
"""What a path begins with that the proxy passes on event by event, or over TLS."""
PASSING = 'proxy_http_version 1.1; proxy_set_header Connection "";'


class Nginx(HttpServer):
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
            error_log stderr crit;
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
        pinned: list[str | Path] = ["taskset", "-c", str(core)]
        command = [*pinned, program("nginx"), "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
        super().__init__("nginx", folder=folder, port=port, command=command)

    def ready(self) -> bool:
        """Whether it takes connections."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.connect()
            return True
        except OSError:
            return False
        finally:
            connection.close()


def returning(*, core: int) -> Nginx:
    """Answers every request with the same completion: the least that an answer from memory can cost."""
    port = free_port()
    body = json.dumps(COMPLETION).replace("'", "\\'")
    answer = f"default_type application/json; return 200 '{body}';"
    return Nginx(f"server {{ listen 127.0.0.1:{port}; location / {{ {answer} }} }}", port=port, core=core)


def terminating(upstream: Server, certificate: Path, key: Path, *, core: int) -> Nginx:
    """The upstream behind TLS 1.3, over kept connections, with the certificate given."""
    port = free_port()
    served = f"listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};"
    return Nginx(
        f"{_pool('vendor', upstream.port)}\n"
        f"server {{ {served} ssl_protocols TLSv1.3; location / {{ proxy_pass http://vendor; {PASSING} }} }}",
        port=port,
        core=core,
    )


def proxy(upstream: Server, encrypted: Server, authority: Path, *, core: int) -> Nginx:
    """The least a gateway can do: pass the bytes on over kept connections, TLS checked against the authority."""
    port = free_port()
    checked = f"proxy_ssl_trusted_certificate {authority}; proxy_ssl_verify on; proxy_ssl_name localhost;"
    tls = f"proxy_pass https://encrypted/; proxy_ssl_session_reuse on; proxy_ssl_protocols TLSv1.3; {checked}"
    return Nginx(
        f"{_pool('vendor', upstream.port)}\n{_pool('encrypted', encrypted.port)}\n"
        f"server {{ listen 127.0.0.1:{port};\n"
        f"location / {{ proxy_pass http://vendor; {PASSING} }}\n"
        f"location {STREAMED}/ {{ proxy_pass http://vendor/; proxy_buffering off; {PASSING} }}\n"
        f"location {ENCRYPTED}/ {{ {tls} {PASSING} }} }}",
        port=port,
        core=core,
    )


def _pool(name: str, port: int) -> str:
    kept = f"keepalive {UPSTREAM_CONNECTIONS}; keepalive_requests 1000000000;"
    return f"upstream {name} {{ server 127.0.0.1:{port}; {kept} }}"
