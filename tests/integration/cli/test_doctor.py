"""farthing doctor tells what is wrong and how to mend it."""

from __future__ import annotations

import json
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.store.samples import DAY_US, NOON_US, exchange
from tests.servers.command import Farthing
from tests.servers.process import free_port
from tests.servers.redis import Redis
from tests.unit.cli.ledgers import filled


def checks(farthing: Farthing, *options: str, **environ: str) -> dict[str, dict[str, Any]]:
    """What doctor says, by check."""
    said = farthing("doctor", "--json", *options, **{"PORT": str(free_port()), **environ})
    found = json.loads(said.out)
    assert said.status == (0 if found["status"] == "ok" else 1)
    assert found["status"] == ("broken" if any(check["health"] == "broken" for check in found["checks"]) else "ok")
    return {check["check"]: check for check in found["checks"]}


def test_a_fresh_machine_is_well(farthing: Farthing, tmp_path: Path) -> None:
    """Only the missing provider is noted, and looking leaves no database behind."""
    port = str(free_port())
    said = farthing("doctor", PORT=port)
    assert said.status == 0
    lines = said.out.splitlines()
    assert lines[:4] == [
        "ok       configuration: no file, so defaults and the environment",
        "warning  providers: none, so the gateway would be a demo",
        "         → set a vendor's key, such as OPENAI_API_KEY, or configure a provider in farthing.toml",
        "ok       access: this machine only, open unless a key exists",
    ]
    assert f"ok       port: {port} of 127.0.0.1 is free" in lines
    assert not (tmp_path / ".local").exists()


def test_every_mistake_of_the_configuration_is_listed(farthing: Farthing, tmp_path: Path) -> None:
    """Where `serve` stops at the first, doctor tells all."""
    (tmp_path / "farthing.toml").write_text("[server]\nport = 0.5\nworkers = 0\n")
    said = farthing("doctor")
    assert said.status == 1
    assert [line for line in said.out.splitlines() if line.startswith("broken")] == [
        "broken   configuration: farthing.toml:2: server.port: expected a whole number, got 0.5",
        "broken   configuration: farthing.toml:3: server.workers: expected at least 1, got 0",
    ]


def test_keys_are_looked_for(farthing: Farthing, tmp_path: Path) -> None:
    """A missing key is broken, one that would travel in the clear is a warning, and none shows."""
    (tmp_path / "farthing.toml").write_text(
        "[providers.openai]\n"
        '[providers.far]\ndialect = "openai"\nbase_url = "http://far.example/v1"\napi_key_env = "FAR_KEY"\n'
        '[providers.near]\ndialect = "openai"\nbase_url = "http://vllm.internal/v1"\napi_key_env = "FAR_KEY"\n'
    )
    found = checks(farthing, FAR_KEY="canary-key")
    assert found["provider openai"]["health"] == "broken"
    assert found["provider openai"]["mend"] == "set OPENAI_API_KEY"
    assert found["provider far"]["health"] == "warning"
    assert found["provider near"]["health"] == "ok"
    assert "canary" not in json.dumps(found)


@pytest.mark.parametrize(
    ("environ", "health"),
    [
        ({}, "ok"),
        ({"FARTHING_SERVER__HOST": "0.0.0.0"}, "warning"),  # noqa: S104
        ({"FARTHING_SERVER__HOST": "0.0.0.0", "FARTHING_MASTER_KEY": "0123456789abcdef"}, "ok"),  # noqa: S104
        ({"FARTHING_MASTER_KEY": "secret"}, "warning"),
        ({"FARTHING_SERVER__HOST": "0.0.0.0", "FARTHING_MASTER_KEY": "0123456789abcde"}, "broken"),  # noqa: S104
    ],
)
def test_access_is_judged(farthing: Farthing, environ: dict[str, str], health: str) -> None:
    """Reachable without a master key, or a short one, is worth a warning; both at once do not start."""
    assert checks(farthing, **environ)["access"]["health"] == health


def test_the_schema_is_looked_at(farthing: Farthing, tmp_path: Path) -> None:
    """A database that was never migrated is a warning, and well after `farthing migrate`."""
    url = f"sqlite:///{tmp_path}/x.db"
    (tmp_path / "x.db").touch()
    assert checks(farthing, DATABASE_URL=url)["database"]["health"] == "warning"
    farthing("migrate", DATABASE_URL=url)
    found = checks(farthing, DATABASE_URL=url)["database"]
    assert (found["health"], found["detail"]) == ("ok", f"{url}, schema up to date")


def test_postgresql_is_looked_at(farthing: Farthing, postgres_database: str) -> None:
    """A PostgreSQL that answers is told apart from one that does not."""
    assert checks(farthing, DATABASE_URL=postgres_database)["database"]["health"] == "warning"
    found = checks(farthing, DATABASE_URL=f"postgresql://u:canary@127.0.0.1:{free_port()}/x")["database"]
    assert found["health"] == "broken"
    assert "canary" not in found["detail"]


def test_redis_is_looked_at(farthing: Farthing, redis_database: str) -> None:
    """A Redis that answers gives its time as well; one that does not is broken."""
    found = checks(farthing, REDIS_URL=redis_database)
    assert (found["redis"]["health"], found["clock"]["health"]) == ("ok", "ok")
    url = f"redis://:canary@127.0.0.1:{free_port()}/0"
    gone = checks(farthing, REDIS_URL=url)["redis"]
    assert gone["health"] == "broken"
    assert "canary" not in gone["detail"]


def test_a_taken_port_is_broken(farthing: Farthing) -> None:
    """What listens on the port is another program."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        found = checks(farthing, PORT=str(port))["port"]
    assert found["detail"] == f"port {port} of 127.0.0.1 is in use"
    assert found["mend"] == "end what listens there, or choose another port with --port"


def test_connections_are_counted(farthing: Farthing, postgres_database: str, pgbouncer_database: str) -> None:
    """More than PostgreSQL takes is a warning; PgBouncer shares them."""
    few = checks(farthing, DATABASE_URL=postgres_database)["connections"]
    assert (few["health"], few["detail"]) == (
        "ok",
        "up to 17 connections for 1 of `server.workers`, PostgreSQL has 200 for all",
    )
    many = checks(farthing, DATABASE_URL=postgres_database, FARTHING_SERVER__WORKERS="12")["connections"]
    assert many["health"] == "warning"
    assert many["detail"].startswith("up to 204 connections for 12 of `server.workers`")
    assert "PgBouncer" in many["mend"]
    shared = checks(farthing, DATABASE_URL=pgbouncer_database, FARTHING_SERVER__WORKERS="12")["connections"]
    assert (shared["health"], "to PgBouncer" in shared["detail"]) == ("ok", True)


@pytest.mark.parametrize("case", ["volatile-lru ok", "allkeys-lru warning", "noeviction warning"])
def test_what_redis_forgets_is_looked_at(
    farthing: Farthing, redis_server: Redis, redis_database: str, case: str
) -> None:
    """When its memory is full: kept answers may go, what counts money may not."""
    policy, health = case.split()
    try:
        for command in (f"CONFIG SET maxmemory-policy {policy}", "CONFIG SET maxmemory 64mb"):
            assert redis_server.command(command) == "+OK"
        assert checks(farthing, REDIS_URL=redis_database)["redis"]["health"] == health
    finally:
        for command in ("CONFIG SET maxmemory-policy noeviction", "CONFIG SET maxmemory 0"):
            redis_server.command(command)


def test_a_plan_that_is_not_named_is_broken(farthing: Farthing, tmp_path: Path) -> None:
    """Its tenants are refused; nothing is said where nobody is on any."""
    file = tmp_path / "farthing.toml"
    url = f"sqlite:///{tmp_path}/x.db"
    file.write_text("[plans.gold]\n")
    assert "plans" not in checks(farthing, DATABASE_URL=url)
    farthing("tenants", "create", "acme", DATABASE_URL=url)
    assert "plans" not in checks(farthing, DATABASE_URL=url)
    farthing("tenants", "set", "acme", "--plan", "gold", DATABASE_URL=url)
    assert checks(farthing, DATABASE_URL=url)["plans"]["health"] == "ok"
    file.write_text("[plans.god]\n")
    found = checks(farthing, DATABASE_URL=url)["plans"]
    assert (found["health"], found["detail"]) == (
        "broken",
        'no plan is called "gold", and the tenant acme is on it: refused',
    )
    assert found["mend"] == "name it as [plans.gold], or move them: farthing tenants set TENANT --plan NAME"


def test_the_ledger_is_compared_where_asked_for(farthing: Farthing, tmp_path: Path) -> None:
    """Every sum with its rows; a difference is broken, and named by day and dimension."""
    first, second = (exchange(created_at_us=NOON_US + day * DAY_US, model="m\x1b[2J") for day in (0, 1))
    url = filled(tmp_path, [first, second])
    assert "ledger" not in checks(farthing, DATABASE_URL=url)
    said = farthing("doctor", "--ledger", DATABASE_URL=url, PORT=str(free_port()))
    assert said.status == 0
    assert "ok       ledger: 2 rows of 2 days: all sums are theirs, to the nano-dollar" in said.out.splitlines()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database, database:
        database.execute("UPDATE value_metrics SET cost = cost - 1 WHERE dimension = 'model' AND grain <= 60")
    said = farthing("doctor", "--ledger", "--to", "2025-12-02", DATABASE_URL=url, PORT=str(free_port()))
    assert said.status == 1
    assert [line for line in said.out.splitlines() if line.startswith("broken")] == [
        f"broken   ledger: 2025-12-01: by model and {bucket} the sums say $0.000000001 less than the rows; 1 sum "
        r"differs in cost, the first is acme m\x1b[2J's"
        for bucket in ("minute", "hour")
    ]
    assert "docs/money.md" in said.out
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database, database:
        database.execute("UPDATE value_metrics SET cost = cost + 3 WHERE dimension = 'total' AND grain = 1440")
        database.execute("UPDATE value_metrics SET cost = cost + 1 WHERE dimension = 'model' AND grain <= 60")
    found = json.loads(farthing("doctor", "--ledger", "--json", DATABASE_URL=url, PORT=str(free_port())).out)
    told = [check["detail"] for check in found["checks"] if check["check"] == "ledger"]
    assert told == [
        f"2025-12-0{day}: by total and day the sums say $0.000000003 more than the rows; 1 sum differs in cost, "
        "the first is acme's"
        for day in (1, 2)
    ]
    mended = farthing("doctor", "--ledger", "--mend", DATABASE_URL=url, PORT=str(free_port()))
    assert (mended.status, mended.out.count(": put right")) == (0, 2)
    assert checks(farthing, "--ledger", DATABASE_URL=url)["ledger"]["health"] == "ok"


def test_a_ledger_that_is_not_there_is_told(farthing: Farthing) -> None:
    """It may not have been made yet, or be away; days make no sense without it."""
    assert checks(farthing, "--ledger")["ledger"]["detail"] == "there is no database yet"
    url = f"postgresql://u:canary@127.0.0.1:{free_port()}/x"
    away = checks(farthing, "--ledger", DATABASE_URL=url)["ledger"]
    assert away["health"] == "broken"
    assert "canary" not in away["detail"]
    said = farthing("doctor", "--from", "2025-12-01")
    assert (said.status, said.err) == (1, "farthing: --from, --to and --mend belong to --ledger\n")
