"""S40: no secret in anything that the gateway writes, keeps, says or sends to those whom it is not for."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from secrets import token_bytes
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import redis
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.security.canaries import canary, leaks
from tests.security.conftest import make_key
from tests.security.test_keys import until
from tests.security.world import MODES, World
from tests.servers.application import Served
from tests.servers.gateway import Gateway
from tests.servers.postgres import _postgres_program as postgres_program
from tests.servers.process import free_port
from tests.servers.redis import Redis

NAMES = (
    *("openai", "anthropic", "gemini", "vendor", "header", "master", "postgres", "redis", "hook-url", "hook"),
    *("smtp", "oidc", "brought", "wrong"),
)
DIALECTS = ("openai", "anthropic", "gemini")
ROUTES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hi"}]},
    "/v1/messages": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9},
    "/v1/responses": {"input": "Hi"},
    "/complete": {"prompt": "Hi"},
}
PAGES = (
    *("/v1/models", "/providers", "/routing/metrics", "/stats", "/v1/usage", "/v1/savings", "/v1/requests"),
    *("/cache/stats", "/quality/stats", "/admin/tenants", "/admin/teams", "/admin/people", "/admin/keys"),
    *("/admin/budgets", "/metrics", "/health", "/api/openapi.json", "/session", "/login", "/nowhere", "/"),
    "/login/callback?code=x&state=y",
)
SECONDS = 20.0
SURE = 16
"""Times in a row that a key is known, both workers having had a part in it."""


class Letterbox:
    """Keeps every mail, and lets in who knows the password."""

    def __init__(self, password: str) -> None:
        self.mails: list[bytes] = []
        self.logins = 0
        self._password = password

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's)
        """Takes a mail."""
        assert isinstance(envelope.original_content, bytes)
        self.mails.append(envelope.original_content)
        return "250 OK"

    def admits(self, _server: SMTP, _session: Session, _envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        """As aiosmtpd asks."""
        self.logins += 1
        known = mechanism in {"LOGIN", "PLAIN"} and isinstance(data, LoginPassword)
        return AuthResult(success=known and data.password == self._password.encode())


class Town:
    """The gateway, all its neighbours and every secret among them; `heard` is all that callers were answered."""

    def __init__(self, database: str, server: Redis, world: World, url: str) -> None:
        self.secrets = {name: canary(name) for name in NAMES}
        self.secrets["sealing"] = b64encode(token_bytes(32)).decode()
        self.world, self.database, self.heard = world, database, list[tuple[str, bytes]]()
        self.letterbox = Letterbox(self.secrets["smtp"])
        self.mail_port = free_port()
        self.environment = _environment(url, self.secrets)
        self.redis = redis.Redis(port=server.port)
        self.redis.acl_setuser(
            "canary", enabled=True, passwords=[f"+{self.secrets['redis']}"], keys=["*"], commands=["+@all"]
        )
        self.gateway = Gateway(
            _settings(url, self.secrets, self.mail_port),
            environment=self.environment,
            database=with_password(database, "farthing", self.secrets["postgres"]),
            redis=with_password(server.url, "canary", self.secrets["redis"]),
            workers=2,
        )

    def ask(self, path: str, key: str | None, body: Any = None, **headers: str) -> bytes:
        """The answer's body. What is answered is noted, but for a new key's one showing."""
        method, data = (
            ("GET", None) if body is None else ("POST", body if isinstance(body, bytes) else json.dumps(body))
        )
        shown = {"authorization": f"Bearer {key}"} if key else {}
        with closing(http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=SECONDS)) as connection:
            connection.request(method, path, data, {"content-type": "application/json", **shown, **headers})
            answer = connection.getresponse()
            said = answer.read()
        self.heard.append((f"the answer of {path}", str(answer.getheaders()).encode() + said))
        return said

    def bring(self, tenant: str) -> None:
        """The tenant keeps its own key for OpenAI here."""
        self.command("credentials", "set", "openai", "--tenant", tenant, typed=self.secrets["brought"])

    def command(self, *arguments: str, typed: str = "") -> None:
        """A command of `farthing`, whose words are noted."""
        command: list[str | Path] = [Path(sys.executable).with_name("farthing"), *arguments]
        environment, folder = dict(self.gateway.environment or {}), self.gateway.folder
        done = subprocess.run(
            command, env=environment, cwd=folder, input=typed.encode(), capture_output=True, check=False
        )
        self.heard.append((f"farthing {arguments[0]}", done.stdout + done.stderr))

    def sinks(self) -> Iterator[tuple[str, bytes]]:
        """Everything that was written, kept, said or sent, but for keys shown to their own vendor."""
        yield from self.heard
        for file in sorted(self.gateway.folder.rglob("*")):
            if file.is_file() and file.name != "farthing.toml":
                yield str(file.relative_to(self.gateway.folder)), file.read_bytes()
        dump = [str(postgres_program("pg_dump")), "--inserts", self.database]
        yield "PostgreSQL", subprocess.run(dump, capture_output=True, check=True).stdout
        for key in self.redis.scan_iter():
            raw: Any = self.redis.get(key) if self.redis.type(key) == b"string" else self.redis.dump(key)
            yield f"Redis {key!r}", key + (raw or b"") + _unpacked(raw or b"")
        yield from (("a webhook", heard.without_key()) for heard in self.world.told)
        yield from (("a mail", mail) for mail in self.letterbox.mails)
        yield from (("a vendor's request", heard.without_key()) for heard in self.world.asked)


def _unpacked(raw: bytes) -> bytes:
    try:
        return zlib.decompress(raw[32:])
    except zlib.error:
        return b""


def with_password(url: str, user: str, password: str) -> str:
    """The address of a server with somebody who is let in there."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{parts.hostname}:{parts.port}").geturl()


def _environment(url: str, secrets: dict[str, str]) -> dict[str, str]:
    return {
        **{f"{dialect.upper()}_KEY": secrets[dialect] for dialect in DIALECTS},
        "GROQ_API_KEY": secrets["vendor"],
        "FARTHING_MASTER_KEY": secrets["master"],
        "FARTHING_ENCRYPTION_KEY": secrets["sealing"],
        "FARTHING_ALERTS__WEBHOOK_URL": f"{url}/hook/{secrets['hook-url']}",
        "FARTHING_WEBHOOK_SECRET": secrets["hook"],
        "FARTHING_SMTP_PASSWORD": secrets["smtp"],
        "FARTHING_OIDC_CLIENT_SECRET": secrets["oidc"],
        "FARTHING_LOG__LEVEL": "debug",
    }


def _settings(url: str, secrets: dict[str, str], mail_port: int) -> str:
    providers = [
        f'[providers.{dialect}]\ndialect = "{dialect}"\nbase_url = "{url}/{dialect}"\n'
        f'api_key_env = "{dialect.upper()}_KEY"\nheaders = {{"x-extra" = "{secrets["header"]}"}}\n'
        for dialect in DIALECTS
    ]
    models = [
        f'[[models]]\nname = "{dialect}-{mode}"\nprovider = "{dialect}"\n'
        "input_usd_per_mtok = 1.0\noutput_usd_per_mtok = 1.0\n"
        for dialect in DIALECTS
        for mode in (*MODES, "ok", "cut", "html", "events")
    ]
    people = (
        f'[oidc]\ndefault_role = "auditor"\nissuer = "{url}"\nclient_id = "farthing"\npublic_url = "http://127.0.0.1"\n'
    )
    mail = (
        f'[alerts]\nemail_to = ["a@example.com"]\nsmtp = {{host = "127.0.0.1", port = {mail_port}, security = "none", '
        'username = "mailer"}\n[[reports]]\nname = "month"\nemail_to = ["a@example.com"]\nwebhook = true\n'
        'formats = ["csv"]\n'
    )
    return "\n".join([people, mail, *providers, *models])


@pytest.fixture
def town(postgres_database: str, redis_server: Redis, redis_database: str) -> Iterator[Town]:
    """Everything, started."""
    assert redis_database
    world = World()
    with Served(world.application) as served:
        town = Town(postgres_database, redis_server, world, served.url)
        controller = Controller(
            town.letterbox,
            hostname="127.0.0.1",
            port=town.mail_port,
            authenticator=town.letterbox.admits,
            auth_require_tls=False,
        )
        controller.start()
        try:
            town.gateway.start()
            yield town
        finally:
            controller.stop()
            town.gateway.remove()
            town.redis.acl_deluser("canary")
            town.redis.close()


def traffic(town: Town, keys: list[str]) -> None:
    """Good and bad requests of every kind."""
    for mode in (*MODES, "ok", "cut", "html", "events"):
        for dialect, (path, body) in product(DIALECTS, ROUTES.items()):
            town.ask(path, keys[0], {**body, "model": f"{dialect}-{mode}"}, **{"x-farthing-cache": "on"})
        streamed = {**ROUTES["/v1/chat/completions"], "model": f"openai-{mode}", "stream": True}
        town.ask("/v1/chat/completions", keys[1], streamed)
    for path, body in ROUTES.items():
        town.ask(path, town.secrets["wrong"], {**body, "model": "openai-ok"})
        town.ask(path, keys[1], b'{"model"')
        town.ask(path, keys[1], {**body, "model": "never"})
        town.ask(path, keys[1], {**body, "model": "openai-ok"}, **{"x-api-key": town.secrets["wrong"]})
    for page in PAGES:
        for key in (town.secrets["master"], keys[1], town.secrets["wrong"], None):
            town.ask(page, key)
    cookie = _sign_on(town)
    town.ask(f"/login/callback?code=x&state={cookie[1]}", None, cookie=cookie[0])


def _sign_on(town: Town) -> tuple[str, str]:
    """The cookie of an attempt, and its state."""
    with closing(http.client.HTTPConnection("127.0.0.1", town.gateway.port, timeout=SECONDS)) as connection:
        connection.request("GET", "/login")
        answer = connection.getresponse()
        state = (answer.getheader("location") or "").partition("state=")[2].partition("&")[0]
        return (answer.getheader("set-cookie") or "").partition(";")[0], state


def told_all(town: Town) -> bool:
    """Whether the alerts and the month's report have come, each by mail and by webhook."""
    reports = [mail for mail in town.letterbox.mails if b".csv" in mail]
    messages = [heard for heard in town.world.told if b"report.monthly" in heard.body]
    return 0 < len(reports) < len(town.letterbox.mails) and 0 < len(messages) < len(town.world.told)


def test_no_secret_is_seen_where_it_does_not_belong(town: Town) -> None:
    """Two workers at DEBUG on PostgreSQL and Redis: 19 secrets, good and bad traffic, all that is written or said."""
    keys = [make_key(town.gateway, name, "--owner", tenant) for name, tenant in (("a", "acme"), ("b", "bolt"))]
    town.secrets.update(key_a=keys[0], key_b=keys[1])
    town.bring("acme")
    budget = {"scope": "gateway", "window": "total", "limit": "0.000001", "is_hard": False}
    town.ask("/admin/budgets", town.secrets["master"], budget)
    until(lambda: not any(b"invalid_api_key" in town.ask("/stats", key) for key in keys for _ in range(SURE)))
    traffic(town, keys)
    for command in (["doctor"], ["credentials", "list"]):
        town.command(*command)
    end = time.monotonic() + SECONDS
    while not told_all(town):
        assert time.monotonic() < end, "nobody was told of the budget, or sent the report"
        time.sleep(0.1)
    assert town.letterbox.logins
    shown = {value for heard in town.world.asked for name, value in heard.headers if name.lower() == "authorization"}
    assert shown == {f"Bearer {town.secrets[name]}" for name in ("openai", "brought")}
    assert any(heard.path.startswith("/gemini") for heard in town.world.asked)
    found = leaks(town.secrets, town.sinks())
    town.gateway.stop()
    expected = {"header in a vendor's request"}
    assert set(found + leaks(town.secrets, town.sinks())) == expected


def test_servers_that_are_away_are_named_without_their_passwords(town: Town) -> None:
    """Nor does a traceback show one."""
    secrets = town.secrets
    away = Gateway(
        town.gateway.folder.joinpath("farthing.toml").read_text(),
        environment=town.environment,
        database=with_password(f"postgresql://x@127.0.0.1:{free_port()}/farthing", "farthing", secrets["postgres"]),
        redis=with_password(f"redis://127.0.0.1:{free_port()}/0", "canary", secrets["redis"]),
    )
    away.start()
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", away.port, timeout=SECONDS)) as connection:
            for path in ("/health", "/stats", "/admin/keys"):
                connection.request("GET", path, headers={"authorization": f"Bearer {secrets['master']}"})
                town.heard.append((path, connection.getresponse().read()))
        away.stop()
        log = away.log.read_bytes()
        assert b"does not answer" in log
        assert leaks(secrets, [*town.heard, ("log", log)]) == []
    finally:
        away.remove()


@pytest.mark.parametrize("place", ["plain", "escaped", "beginning", "hexadecimal", "base64", "basic"])
def test_the_search_finds_every_form(place: str) -> None:
    """What it does not find would be no proof."""
    secret = canary("x")
    told = {
        "plain": secret.encode(),
        "escaped": quote(secret, safe="").encode(),
        "beginning": secret[:20].encode(),
        "hexadecimal": secret.encode().hex().encode(),
        "base64": b64encode(secret.encode()),
        "basic": b64encode(f"user:{secret}".encode()),
    }
    assert leaks({"x": secret}, [("there", b"before " + told[place] + b" after")]) == ["x in there"]
    assert leaks({"x": secret}, [("there", canary("x").encode())]) == []
