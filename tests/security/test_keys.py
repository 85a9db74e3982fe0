"""Who comes in, and what everybody else is told (rows B23 to B27 and B29)."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import Struct

from farthing.app.gateway import REFRESH_EVERY_S
from farthing.domain.secrets import mint
from tests.security.bodies import GOOD
from tests.security.conftest import VENDOR_KEY, make_key
from tests.security.refusals import refused
from tests.security.wire import JSON, Answer, Pairs, Wire
from tests.servers.gateway import Gateway
from tests.servers.process import free_port

MASTER = "the-master-key-of-these-tests"
SECONDS = 20.0
DIALECTS = {
    "/v1/chat/completions": "openai",
    "/v1/messages": "anthropic",
    "/v1/messages/count_tokens": "anthropic",
    "/v1/responses": "openai",
    "/complete": "openai",
    "/v1/embeddings": "openai",
    "/stats": "openai",
    "/feedback": "openai",
}
"""Routes of every kind, with the form of their errors."""
routes = pytest.mark.parametrize(("route", "dialect"), DIALECTS.items())


class Keys(Struct, frozen=True):
    """Secrets of keys in the database."""

    good: str
    admin: str
    narrow: str
    """May use `small` alone."""
    expired: str
    revoked: str
    deleted: str


@pytest.fixture(scope="module")
def locked(settings: str, started: Callable[[Gateway], Gateway]) -> tuple[Gateway, Keys]:
    """A gateway on loopback that was open until keys were made, and its keys."""
    gateway = started(Gateway(settings, environment={"THERE_KEY": VENDOR_KEY}))
    keys = Keys(
        good=make_key(gateway, "good"),
        admin=make_key(gateway, "admin", "--admin"),
        narrow=make_key(gateway, "narrow", "--model", "small"),
        expired=make_key(gateway, "expired", "--expires", "1h"),
        revoked=make_key(gateway, "revoked"),
        deleted=make_key(gateway, "deleted"),
    )
    with closing(sqlite3.connect(gateway.folder / "farthing.db")) as database, database:
        database.execute("UPDATE keys SET expires_at = 1 WHERE name = 'expired'")
        database.execute("DELETE FROM keys WHERE name = 'deleted'")
        database.execute("UPDATE counters SET value = value + 1")
        database.execute("UPDATE keys SET changed = (SELECT value FROM counters) WHERE name = 'expired'")
    command: list[str | Path] = [Path(sys.executable).with_name("farthing"), "keys", "revoke", "revoked"]
    subprocess.run(command, env=dict(gateway.environment or {}), cwd=gateway.folder, check=True, capture_output=True)
    expected = {keys.good: 200, keys.expired: 401, keys.revoked: 401, keys.deleted: 401}
    until(lambda: {secret: ask(gateway, "/stats", bearer(secret)).status for secret in expected} == expected)
    return gateway, keys


@pytest.fixture(scope="module")
def away(settings: str, started: Callable[[Gateway], Gateway]) -> Gateway:
    """A gateway that was started while its PostgreSQL was away, and has a master key."""
    environment = {"THERE_KEY": VENDOR_KEY, "FARTHING_MASTER_KEY": MASTER}
    database = f"postgresql://farthing@127.0.0.1:{free_port()}/farthing"
    return started(Gateway(settings, environment=environment, database=database))


def until(holds: Callable[[], bool]) -> None:
    """Returns when it is so. Fails after some seconds."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def bearer(key: str) -> Pairs:
    """The header that carries a key."""
    return (("authorization", f"Bearer {key}"),)


def ask(gateway: Gateway, route: str, headers: Pairs, body: bytes = GOOD) -> Answer:
    """One request on a connection of its own."""
    with Wire(gateway.port) as wire:
        return wire.ask(*(("GET", route, b"") if route == "/stats" else ("POST", route, body)), (*JSON, *headers))


def unsigned(answer: Answer) -> bytes:
    """The body without the request id that Anthropic's form holds."""
    return answer.body.replace(answer.headers["x-request-id"].encode(), b"")


@pytest.mark.usefixtures("upstream")
class TestStrangers:
    """Nobody of these reaches the upstream."""

    @routes
    @pytest.mark.parametrize("headers", [(), (("authorization", ""),), (("x-api-key", ""),)])
    def test_no_key_is_told_how_to_send_one(
        self, locked: tuple[Gateway, Keys], route: str, dialect: str, headers: Pairs
    ) -> None:
        """B23: 401 with the scheme that is wanted."""
        answer = ask(locked[0], route, headers)
        error = refused(answer, 401, "missing_api_key", dialect=dialect)
        assert answer.headers["www-authenticate"] == 'Bearer realm="farthing"'
        assert "x-api-key" in error["message"]

    @routes
    def test_every_wrong_key_is_told_the_same(self, locked: tuple[Gateway, Keys], route: str, dialect: str) -> None:
        """B24 and B25: to the byte, whether unknown, mistyped, hostile, revoked or deleted."""
        gateway, keys = locked
        wrong = {
            "unknown": bearer(mint(bytes(32))),
            "truncated": bearer(keys.good[:-1]),
            "checksum": bearer(keys.good[:-1] + ("A" if keys.good[-1] != "A" else "B")),
            "longer": bearer(keys.good + "x"),
            "upper case": bearer(keys.good.upper()),
            "prefix only": bearer("sk-farthing-"),
            "1 MB": bearer("k" * 1_000_000),
            "not ASCII": bearer("schlüssel-🔑"),
            "SQL": bearer("' OR 1=1; DROP TABLE keys; --"),
            "vendor's": bearer(VENDOR_KEY),
            "basic": (("authorization", f"Basic {keys.good}"),),
            "two schemes": (("authorization", f"Bearer Bearer {keys.good}"),),
            "scheme only": (("authorization", "Bearer"),),
            "other header": (("x-api-key", keys.good[:-1]),),
            "scheme in the other header": (("x-api-key", f"Bearer {keys.good}"),),
            "third header": (("x-goog-api-key", "nobody"),),
            "revoked": bearer(keys.revoked),
            "deleted": bearer(keys.deleted),
        }
        answers = {name: ask(gateway, route, headers) for name, headers in wrong.items()}
        for answer in answers.values():
            refused(answer, 401, "invalid_api_key", dialect=dialect)
            assert answer.headers["www-authenticate"] == 'Bearer realm="farthing"'
        assert {name: unsigned(answer) for name, answer in answers.items()} == dict.fromkeys(
            answers, unsigned(answers["unknown"])
        )

    @routes
    def test_an_expired_key_is_told_so(self, locked: tuple[Gateway, Keys], route: str, dialect: str) -> None:
        """B25: but only to whoever has its secret."""
        gateway, keys = locked
        refused(ask(gateway, route, bearer(keys.expired)), 401, "key_expired", dialect=dialect)
        refused(ask(gateway, route, bearer(keys.expired[:-1])), 401, "invalid_api_key", dialect=dialect)

    def test_a_key_with_a_nul_never_gets_past_the_parser(self, locked: tuple[Gateway, Keys]) -> None:
        """B24: no header can hold one."""
        gateway, keys = locked
        answer = ask(gateway, "/stats", bearer(f"{keys.good}\x00"))
        assert (answer.status, answer.headers["connection"]) == (400, "close")

    @routes
    def test_two_different_keys_are_refused(self, locked: tuple[Gateway, Keys], route: str, dialect: str) -> None:
        """B26: in two headers or in one header twice, even if both are good."""
        gateway, keys = locked
        for second in (("x-api-key", keys.admin), ("x-goog-api-key", "nobody"), *bearer(keys.admin)):
            answer = ask(gateway, route, (*bearer(keys.good), second))
            refused(answer, 400, "conflicting_credentials", dialect=dialect)
            assert keys.good not in answer.body.decode()

    def test_a_strangers_body_is_not_discussed(self, locked: tuple[Gateway, Keys]) -> None:
        """The key comes first."""
        refused(ask(locked[0], "/v1/chat/completions", (), b"{"), 401, "missing_api_key")

    @pytest.mark.parametrize(("route", "dialect"), [("/v1/chat/completions", "openai"), ("/v1/messages", "anthropic")])
    def test_a_model_that_is_not_for_this_key_is_as_unknown_as_any(
        self, locked: tuple[Gateway, Keys], route: str, dialect: str
    ) -> None:
        """B29: nobody finds out which models others have."""
        gateway, keys = locked
        told = []
        for model in ("large", "never"):
            body = GOOD.replace(b"small", model.encode())
            answer = ask(gateway, route, bearer(keys.narrow), body)
            refused(answer, 404, "model_not_found", dialect=dialect, param="model")
            told.append(unsigned(answer).replace(model.encode(), b""))
        assert told[0] == told[1]
        unknown = ask(gateway, route, bearer(keys.good), GOOD.replace(b"small", b"never"))
        assert unsigned(unknown).replace(b"never", b"") == told[0]

    @routes
    def test_while_the_keys_are_out_of_reach_nobody_is_called_wrong(
        self, away: Gateway, route: str, dialect: str
    ) -> None:
        """B27: any key, even none, may do: all are asked to come back soon, but for a typing error, told by its sum."""
        refused(ask(away, route, bearer("sk-farthing-typo")), 401, "invalid_api_key", dialect=dialect)
        for headers in (bearer(mint(bytes(32))), bearer("sk-of-another-house"), ()):
            answer = ask(away, route, headers)
            refused(answer, 503, "auth_unavailable", dialect=dialect, type_="server_error")
            assert 1 <= int(answer.headers["retry-after"]) <= 5


@pytest.mark.parametrize(
    "header",
    [
        *("authorization: Bearer {}", "Authorization: bearer {}", "AUTHORIZATION: BEARER  {} "),
        *("x-api-key: {}", "X-Goog-Api-Key: {}"),
    ],
)
def test_a_good_key_comes_in_whichever_way_it_is_shown(locked: tuple[Gateway, Keys], header: str) -> None:
    """Three headers, any case, and the same key twice."""
    gateway, keys = locked
    name, _, value = header.format(keys.good).partition(": ")
    for headers in ([(name, value)], [(name, value), ("x-api-key", keys.good)]):
        assert ask(gateway, "/v1/chat/completions", headers).status == 200
        assert ask(gateway, "/stats", headers).status == 200


def test_admin_routes_are_for_admin_keys(locked: tuple[Gateway, Keys]) -> None:
    """A plain key is told so, an admin key is let in."""
    gateway, keys = locked
    with Wire(gateway.port) as wire:
        refused(wire.ask("GET", "/metrics", headers=bearer(keys.good)), 403, "forbidden")
        assert wire.ask("GET", "/metrics", headers=bearer(keys.admin)).status == 200


def test_a_key_revoked_elsewhere_is_refused_soon(locked: tuple[Gateway, Keys]) -> None:
    """The gateway reads the key table on its own, more than once a second."""
    assert REFRESH_EVERY_S < 1
    gateway, _ = locked
    secret = make_key(gateway, "short-lived")
    until(lambda: ask(gateway, "/stats", bearer(secret)).status == 200)
    with closing(sqlite3.connect(gateway.folder / "farthing.db")) as database, database:
        database.execute("UPDATE keys SET is_blocked = 1 WHERE name = 'short-lived'")
    until(lambda: ask(gateway, "/stats", bearer(secret)).status == 401)


def test_the_master_key_serves_without_a_database(away: Gateway) -> None:
    """Requests are answered, figures are not there, and the gateway says that it is degraded."""
    assert ask(away, "/v1/chat/completions", bearer(MASTER)).status == 200
    with Wire(away.port) as wire:
        health = wire.ask("GET", "/health", headers=bearer(MASTER))
        assert (health.status, health.json["status"], health.json["database"]) == (200, "degraded", "away")
        answer = wire.ask("GET", "/stats", headers=bearer(MASTER))
    refused(answer, 503, "unavailable", type_="server_error")
