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

from farthing.providers import load_vendors
from farthing.settings import load
from farthing.settings.environment import ALIASES
from tests.integration.deploy.declared import DEPLOY, ROOT, image, image_command, image_environment
from tests.integration.deploy.tools import ALONE, FULL, Refused, compose
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


def test_one_service_alone_and_four_in_full() -> None:
    """As docs/deploy.md calls Compose; secrets have to be given and are never written down."""
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    assert re.findall(r"docker compose (.*) up\b", page) == [" ".join(ALONE), " ".join(FULL)]
    assert set(compose(SECRETS, *ALONE)["services"]) == {"farthing"}
    assert set(compose(SECRETS, *FULL)["services"]) == {"farthing", "pgbouncer", "postgres", "redis"}
    for missing in SECRETS:
        left = {name: value for name, value in SECRETS.items() if name != missing}
        with pytest.raises(Refused, match=missing):
            compose(left, *FULL)


def test_compose_would_tell_of_a_word_it_does_not_know(tmp_path: Path) -> None:
    """What it takes is therefore spelt as it should be."""
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    misspelt = tmp_path / "compose.yaml"
    misspelt.write_text(text.replace("stop_grace_period: 40s", "stop_grace: 40s"), encoding="utf-8")
    with pytest.raises(Refused, match="stop_grace"):
        compose(SECRETS, "-f", str(misspelt))


def test_volumes_configs_and_health_are_declared() -> None:
    """Whatever holds data has a volume; who is waited for can be asked, and is waited for no longer than the start."""
    declared = compose(SECRETS, *FULL)
    services = declared["services"]
    mounted = {volume["source"] for service in services.values() for volume in service.get("volumes", ())}
    assert mounted == set(declared["volumes"])
    used = {each["source"] for service in services.values() for each in service.get("configs", ())}
    assert used == set(declared["configs"])
    waited = {name: rule for service in services.values() for name, rule in service.get("depends_on", {}).items()}
    assert set(waited) == {"postgres", "pgbouncer", "redis"}
    assert {rule["condition"] for rule in waited.values()} == {"service_healthy"}
    assert all("test" in services[name]["healthcheck"] for name in waited)
    assert [services[name]["image"] for name in ("postgres", "redis")] == ["postgres:15-bookworm", "redis:7-bookworm"]


def test_no_content_is_copied_where_nothing_may_be_written() -> None:
    """Compose starts no read-only container with such a config, and `config` says nothing of it."""
    declared = compose(SECRETS, *FULL)
    copied = {name for name, config in declared["configs"].items() if "content" in config}
    readers = [service for service in declared["services"].values() if service.get("read_only")]
    assert copied
    assert not copied & {each["source"] for service in readers for each in service.get("configs", ())}


def test_the_gateway_has_time_to_end_and_may_do_little() -> None:
    """More than lame duck and drain together; only this machine reaches it unless told."""
    service = compose(SECRETS, *ALONE)["services"]["farthing"]
    settings = load(environ=service["environment"])
    assert seconds(service["stop_grace_period"]) > settings.lame_duck_s + settings.server.drain_s + 1
    assert (service["read_only"], service["cap_drop"], service["tmpfs"]) == (True, ["ALL"], ["/tmp"])  # noqa: S108
    assert [port["host_ip"] for port in service["ports"]] == ["127.0.0.1"]
    assert [str(port["target"]) for port in service["ports"]] == [image_environment()["FARTHING_SERVER__PORT"]]
    build = service["build"]
    assert Path(build["context"], build["dockerfile"]).samefile(DEPLOY / "Dockerfile")


def test_the_gateway_reads_every_variable() -> None:
    """Each is a setting, an alias, a secret or a vendor's key; the full profile leads to its database and Redis."""
    service = compose({**SECRETS, "OPENAI_API_KEY": "sk-of-nobody"}, *FULL)["services"]["farthing"]
    keys = {name for vendor in load_vendors().values() for name in vendor.api_key_envs}
    others = {name for name in service["environment"] if not name.startswith("FARTHING_")} - keys
    assert others == set(ALIASES) - {"PORT"}
    settings = load(environ={**image_environment(), **service["environment"]})
    assert (settings.server.workers, set(settings.vendor_keys)) == (2, {"OPENAI_API_KEY"})
    assert settings.database.url.get_secret_value() == "postgresql://farthing:postgres0secret@pgbouncer:6432/farthing"
    assert settings.redis.url is not None


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


def gateway_environment(service: dict[str, Any], port: int, folder: Path) -> dict[str, str]:
    """The image's and the service's variables, but for what names a place inside the container."""
    both = {**image_environment(), **service["environment"], "FARTHING_SERVER__LAME_DUCK_S": "0.2"}
    places = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "FARTHING_SERVER__PORT": str(port)}
    return {name: value for name, value in both.items() if name != "PATH"} | places


def passes(check: list[str]) -> bool:
    """Whether a health check says yes in time."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if subprocess.run(check, check=False, capture_output=True).returncode == 0:
            return True
        time.sleep(0.1)
    return False


def becomes_healthy(port: int) -> bool:
    """Whether the image's own check says so in time."""
    command = [word.replace("8000", str(port)) for word in image_command("HEALTHCHECK")]
    return passes([sys.executable, *command[1:]])


def as_in_an_image(command: list[str]) -> list[str]:
    """The command as the user that our images run as: a number without a name, which only root can become."""
    if os.geteuid() != 0:
        return command
    [user, group] = [rest for said, rest in image() if said == "USER"][-1].split(":")
    return leashed(command, f"--reuid={user}", f"--regid={group}", "--clear-groups", last_signal=signal.SIGKILL)


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
    port, service = free_port(), compose(SECRETS, *ALONE)["services"]["farthing"]
    environment = gateway_environment(service, port, tmp_path)
    with container(command_of_the_image(), environment, tmp_path) as gateway:
        assert becomes_healthy(port)
        assert ask(port)[0] == 200
        assert gateway.end(seconds(service["stop_grace_period"])) == 0
    assert (tmp_path / "farthing" / "farthing-demo.db").exists()


@contextmanager
def bouncer(declared: dict[str, Any], postgres: Postgres, database: str) -> Iterator[int]:
    """PgBouncer with the declared configuration before the tests' PostgreSQL; its port."""
    configs, port, folder = declared["configs"], free_port(), private_folder("compose")
    folder.chmod(0o755)
    users = folder / "users.txt"
    users.write_text(configs["pgbouncer_users"]["content"], encoding="utf-8")
    settings = configs["pgbouncer"]["content"]
    for inside, here in {
        "host=postgres port=5432 dbname=farthing": f"host=127.0.0.1 port={postgres.port} dbname={database}",
        "listen_port = 6432": f"listen_port = {port}",
        "/etc/pgbouncer/users.txt": str(users),
    }.items():
        assert inside in settings
        settings = settings.replace(inside, here)
    file = folder / "pgbouncer.ini"
    file.write_text(settings, encoding="utf-8")
    command = as_in_an_image([str(program("pgbouncer")), str(file)])
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def redis(declared: dict[str, Any]) -> Iterator[int]:
    """Redis by the declared command on a port of its own."""
    port, folder = free_port(), private_folder("compose-redis")
    server, *options = declared["services"]["redis"]["command"]
    command = unprivileged([program(server), *options, "--port", str(port), "--dir", str(folder)])
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def check_of(service: dict[str, Any]) -> list[str]:
    """The command of a service's health check."""
    kind, *command = service["healthcheck"]["test"]
    assert kind == "CMD"
    return list(command)


def test_the_full_profile_answers_over_pgbouncer_and_redis(
    postgres: Postgres, postgres_database: str, tmp_path: Path
) -> None:
    """All find one another healthy; two workers, passwords checked on the way, the row in PostgreSQL."""
    port, database = free_port(), postgres_database.rsplit("/", 1)[1]
    declared = compose(SECRETS, *FULL)
    services = declared["services"]
    with bouncer(declared, postgres, database) as bouncer_port, redis(declared) as redis_port:
        assert passes([*check_of(services["postgres"]), f"--port={postgres.port}"])
        behind = [word.replace("6432", str(bouncer_port)) for word in check_of(services["pgbouncer"])]
        assert passes(as_in_an_image(behind))
        client, *question = check_of(services["redis"])
        assert passes([client, "-p", str(redis_port), *question])
        environment = {**gateway_environment(services["farthing"], port, tmp_path), **NOBODY}
        for name, inside, here in (
            ("DATABASE_URL", "@pgbouncer:6432/", f"@127.0.0.1:{bouncer_port}/"),
            ("REDIS_URL", "redis:6379", f"127.0.0.1:{redis_port}"),
        ):
            assert inside in environment[name]
            environment[name] = environment[name].replace(inside, here)
        with container(command_of_the_image(), environment, tmp_path) as gateway:
            assert becomes_healthy(port)
            assert ask(port)[0] == 502
            assert gateway.end(seconds(services["farthing"]["stop_grace_period"])) == 0
    assert postgres.execute("SELECT count(*) FROM requests", database) == "1"


def test_the_tests_bouncer_is_set_up_as_declared(pgbouncer: PgBouncer) -> None:
    """All that is tested over PgBouncer is tested in the mode that is deployed."""
    assert "pool_mode = transaction" in compose(SECRETS, *FULL)["configs"]["pgbouncer"]["content"]
    assert "pool_mode|transaction" in pgbouncer.command("SHOW CONFIG")
