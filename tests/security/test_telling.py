"""S41: what those hear who ask how the gateway is: strangers next to nothing, Prometheus no name of a person."""

from __future__ import annotations

import http.client
import json
import re
from contextlib import closing

from tests.security.conftest import Upstream
from tests.servers.gateway import StartGateway

ADMIN = "admin-key-0123456789abcdef"
LABELS = {
    "cache",
    "direction",
    "figure",
    "le",
    "level",
    "model",
    "pool",
    "provider",
    "reason",
    "route",
    "status",
    "strategy",
    "version",
}
"""All that a figure may be broken down by: nothing that a person, a key or a team could be told from."""
CANARIES = ("person@canary.example", "canary-team", "canary-session", ADMIN)
SETTINGS = """
[providers.local]
dialect = "openai"
base_url = "{url}/v1"
[[models]]
name = "small"
provider = "local"
"""


def ask(port: int, path: str, *, key: str | None = None, body: object = None) -> tuple[int, bytes]:
    """Status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    more = {"content-type": "application/json", "x-farthing-user": CANARIES[0], "x-farthing-session": CANARIES[2]}
    with closing(connection):
        if body is None:
            connection.request("GET", path, headers=headers)
        else:
            tags = {"x-farthing-tags": f"team={CANARIES[1]}"}
            connection.request("POST", path, json.dumps(body), {**headers, **more, **tags})
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_who_asks_how_we_are_hears_little(start_gateway: StartGateway, served: tuple[Upstream, str]) -> None:
    """Probes say no more than a word and ask no vendor; figures need an admin's key and name nobody."""
    upstream, url = served
    gateway = start_gateway(SETTINGS.format(url=url), environment={"FARTHING_MASTER_KEY": ADMIN})
    before = upstream.calls
    for path in ("/livez", "/readyz"):
        assert ask(gateway.port, path) == (200, b'{"status":"ok"}')
    assert [ask(gateway.port, path)[0] for path in ("/metrics", "/health", "/stats")] == [401] * 3
    assert ask(gateway.port, "/metrics", key="sk-wrong")[0] == 401
    assert ask(gateway.port, "/health", key=ADMIN)[0] == 200
    assert upstream.calls == before
    question = {"model": "small", "messages": [{"role": "user", "content": "Hi"}], "user": CANARIES[0]}
    assert ask(gateway.port, "/v1/chat/completions", key=ADMIN, body=question)[0] == 200
    status, figures = ask(gateway.port, "/metrics", key=ADMIN)
    assert status == 200
    text = figures.decode()
    described = " ".join(re.findall(r"^\w+\{(.*)\} ", text, re.MULTILINE))
    assert set(re.findall(r'(\w+)="', described)) <= LABELS
    assert 'model="small"' in text
    assert [canary for canary in CANARIES if canary in text] == []
    assert len(text.splitlines()) < 5000
