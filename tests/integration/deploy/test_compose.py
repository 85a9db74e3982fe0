"""compose.yaml: what it says, and that what its containers run works, without containers."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from farthing.settings.sections import ServerSettings
from tests.integration.deploy.declared import DEPLOY, NotSet, compose, full, image_command, image_environment
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres
from tests.servers.process import free_port, leashed, private_folder, program, unprivileged

MASTER = "0123456789abcdef-master"
SECRETS = {"FARTHING_MASTER_KEY": MASTER, "POSTGRES_PASSWORD": "postgres0secret"}
SECONDS = 20.0
NOBODY = {
    "FARTHING_PROVIDERS__LOCAL__DIALECT": "openai",
    "FARTHING_PROVIDERS__LOCAL__BASE_URL": "http://127.0.0.1:9/v1",
    "FARTHING_MODELS": '[{"name": "demo/small", "provider": "local"}]',
}
"""A provider that is not there: a demo would keep to a database of its own."""
QUESTION = {"model": "demo/small", "messages": [{"role": "user", "content": "What is a farthing?"}]}


def seconds(text: str) -> int:
    """A duration such as `40s`."""
    assert re.fullmatch(r"\d+s", text)
    return int(text[:-1])


def test_one_service_without_a_profile() -> None:
    """All others belong to `full`, which full.env switches on; secrets have to be given and are never written down."""
    services = compose(SECRETS)["services"]
    assert [name for name, service in services.items() if "profiles" not in service] == ["farthing"]
    assert {tuple(service["profiles"]) for name, service in services.items() if name != "farthing"} == {("full",)}
    assert full(SECRETS)["COMPOSE_PROFILES"] == "full"
    for missing in SECRETS:
        left = {name: value for name, value in SECRETS.items() if name != missing}
        with pytest.raises(NotSet, match=missing):
            compose(full(left))


def test_volumes_configs_and_health_are_declared() -> None:
    """Whatever holds data has a volume; who is waited for can be asked."""
    declared = compose(SECRETS)
    services = declared["services"]
    mounted = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", ())}
    assert mounted == set(declared["volumes"])
    used = {each["source"] for service in services.values() for each in service.get("configs", ())}
    assert used == set(declared["configs"])
    waited = {name for service in services.values() for name in service.get("depends_on", ())}
    assert waited == {"postgres", "pgbouncer", "redis"}
    assert all("test" in services[name]["healthcheck"] for name in waited)
    assert [services[name]["image"] for name in ("postgres", "redis")] == ["postgres:15-bookworm", "redis:7-bookworm"]


def test_the_gateway_has_time_to_end_and_may_do_little() -> None:
    """More than lame duck and drain together; only this machine reaches it unless told."""
    service = compose(SECRETS)["services"]["farthing"]
    environment = service["environment"]
    steps = int(environment["FARTHING_SERVER__LAME_DUCK_S"]) + int(environment["FARTHING_SERVER__DRAIN_S"])
    assert seconds(service["stop_grace_period"]) > steps + 1
    assert (service["read_only"], service["cap_drop"], service["tmpfs"]) == (True, ["ALL"], ["/tmp"])  # noqa: S108
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    ours = {name.removeprefix("FARTHING_SERVER__").lower() for name in environment if "SERVER__" in name}
    assert ours <= set(ServerSettings.model_fields)
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).exists()


class Container:
    """What a container would run, as a process on this machine, in a folder of its own that ends with it."""

    def __init__(self, command: list[str], environment: Mapping[str, str], folder: Path) -> None:
        coverage = {name: value for name, value in os.environ.items() if name.startswith(("COVERAGE", "PYTHONPATH"))}
        self.process = subprocess.Popen(
            leashed(command, last_signal=signal.SIGKILL),
            env={"PATH": os.environ["PATH"], **coverage, **environment},
            cwd=folder,
            stdin=subprocess.DEVNULL,
        )

    def end(self, within_s: float) -> int:
        """Its status after SIGTERM."""
        self.process.terminate()
        return self.process.wait(within_s)

    def remove(self) -> None:
        """Ends it whatever it does."""
        self.process.kill()
        self.process.wait()


@contextmanager
def container(command: list[str], environment: Mapping[str, str], folder: Path) -> Iterator[Container]:
    """Runs while the block lasts."""
    made = Container(command, environment, folder)
    try:
        yield made
    finally:
        made.remove()


def gateway_environment(variables: Mapping[str, str], port: int, folder: Path) -> dict[str, str]:
    """The image's and the service's variables, but for what names a place inside the container."""
    declared = compose(variables)["services"]["farthing"]["environment"]
    both = {**image_environment(), **declared, "FARTHING_SERVER__LAME_DUCK_S": "0.2"}
    places = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "FARTHING_SERVER__PORT": str(port)}
    return {name: str(value or "") for name, value in both.items() if name != "PATH"} | places


def becomes_healthy(port: int) -> bool:
    """Whether the image's own check says so in time."""
    command = [word.replace("8000", str(port)) for word in image_command("HEALTHCHECK")]
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if subprocess.run([sys.executable, *command[1:]], check=False, capture_output=True).returncode == 0:
            return True
        time.sleep(0.1)
    return False


def ask(port: int) -> tuple[int, Any]:
    """Status and answer of a question with the master key."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    headers = {"content-type": "application/json", "authorization": f"Bearer {MASTER}"}
    with closing(connection):
        connection.request("POST", "/v1/chat/completions", json.dumps(QUESTION), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def command_of_the_image() -> list[str]:
    """What the image starts, from this environment's programs."""
    entry, *arguments = image_command("ENTRYPOINT") + image_command("CMD")
    return [str(Path(sys.executable).with_name(entry)), *arguments]


def test_the_service_alone_answers_and_ends(tmp_path: Path) -> None:
    """With a file for a ledger in its volume, healthy by the image's own check, and well ended by the stop signal."""
    port = free_port()
    environment = gateway_environment(SECRETS, port, tmp_path)
    with container(command_of_the_image(), environment, tmp_path) as gateway:
        assert becomes_healthy(port)
        assert ask(port)[0] == 200
        assert gateway.end(seconds(compose(SECRETS)["services"]["farthing"]["stop_grace_period"])) == 0
    assert (tmp_path / "farthing" / "farthing-demo.db").exists()


@contextmanager
def bouncer(postgres: Postgres, database: str) -> Iterator[int]:
    """PgBouncer with the declared configuration before the tests' PostgreSQL; its port."""
    declared, port, folder = compose(SECRETS)["configs"], free_port(), private_folder("compose")
    users = folder / "users.txt"
    users.write_text(declared["pgbouncer_users"]["content"], encoding="utf-8")
    settings = declared["pgbouncer"]["content"]
    for inside, here in {
        "host=postgres port=5432 dbname=farthing": f"host=127.0.0.1 port={postgres.port} dbname={database}",
        "listen_port = 6432": f"listen_port = {port}",
        "/etc/pgbouncer/users.txt": str(users),
    }.items():
        assert inside in settings
        settings = settings.replace(inside, here)
    file = folder / "pgbouncer.ini"
    file.write_text(settings, encoding="utf-8")
    command = unprivileged([program("pgbouncer"), file])
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def redis() -> Iterator[int]:
    """Redis by the declared command on a port of its own."""
    port, folder = free_port(), private_folder("compose-redis")
    server, *options = compose(SECRETS)["services"]["redis"]["command"]
    command = unprivileged([program(server), *options, "--port", str(port), "--dir", str(folder)])
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def test_the_full_profile_answers_over_pgbouncer_and_redis(
    postgres: Postgres, postgres_database: str, tmp_path: Path
) -> None:
    """Two workers, passwords checked on the way, the row in PostgreSQL."""
    port, database = free_port(), postgres_database.rsplit("/", 1)[1]
    with bouncer(postgres, database) as bouncer_port, redis() as redis_port:
        variables = full(SECRETS)
        for name, inside, here in (
            ("DATABASE_URL", "@pgbouncer:6432/", f"@127.0.0.1:{bouncer_port}/"),
            ("REDIS_URL", "redis:6379", f"127.0.0.1:{redis_port}"),
        ):
            assert inside in variables[name]
            variables[name] = variables[name].replace(inside, here)
        environment = {**gateway_environment(variables, port, tmp_path), **NOBODY}
        with container(command_of_the_image(), environment, tmp_path) as gateway:
            assert becomes_healthy(port)
            assert ask(port)[0] == 502
            assert gateway.end(seconds(compose(SECRETS)["services"]["farthing"]["stop_grace_period"])) == 0
    assert postgres.execute("SELECT count(*) FROM requests", database) == "1"


def test_the_tests_bouncer_is_set_up_as_declared(pgbouncer: PgBouncer) -> None:
    """All that is tested over PgBouncer is tested in the mode that is deployed."""
    assert "pool_mode = transaction" in compose(SECRETS)["configs"]["pgbouncer"]["content"]
    assert "pool_mode|transaction" in pgbouncer.command("SHOW CONFIG")
