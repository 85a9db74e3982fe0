"""The image: small, of checked parts, run by nobody special, told to end by a signal that it knows."""

from __future__ import annotations

import re

import pytest

from farthing.http.probes import READY
from farthing.settings.environment import variables
from tests.integration.deploy.declared import DEPLOY, ROOT, image, image_command, image_environment, instructions

OURS = DEPLOY / "Dockerfile"


def test_what_is_installed_is_what_the_lock_says() -> None:
    """By its hashes, without a resolver, by the same uv as everywhere else."""
    runs = [rest for name, rest in instructions(OURS) if name == "RUN"]
    syncs = [run for run in runs if '"sync"' in run]
    assert len(syncs) == 3
    assert all('"--frozen"' in run for run in syncs)
    [version] = re.findall(r"^UV_VERSION := (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert f'"uv=={version}"' in runs[0]
    assert "hash = " in (ROOT / "uv.lock").read_text()


def test_no_shell_takes_part() -> None:
    """Neither when it is built, nor when it starts, nor when it is asked how it is."""
    for name, rest in instructions(OURS):
        if name in {"RUN", "CMD", "ENTRYPOINT"}:
            assert rest.startswith("["), rest
    assert image_command("ENTRYPOINT") + image_command("CMD") == ["farthing", "serve"]
    assert image_command("HEALTHCHECK")[0] == "python"
    assert READY in image_command("HEALTHCHECK")[2]


@pytest.mark.parametrize("path", [OURS, DEPLOY / "pgbouncer" / "Dockerfile"])
def test_nobody_special_runs_it(path: object) -> None:
    """By number, which Kubernetes can check."""
    said = instructions(path) if path != OURS else image()  # type: ignore[arg-type]
    users = [rest for name, rest in said if name == "USER"]
    assert users[-1:] == ["10001:10001"]
    assert ("STOPSIGNAL", "SIGTERM") in said


def test_it_writes_nowhere_but_to_its_data() -> None:
    """The rest of its file system may be read-only."""
    environment = image_environment()
    assert environment["HOME"] == environment["XDG_DATA_HOME"] == "/data"
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert ("VOLUME", "/data") in image()
    assert "COPY --from=compile --chown=10001:10001 /data /data" in (OURS.read_text())


def test_only_what_is_copied_is_sent_to_the_builder() -> None:
    """No secret, no history, no test leaves the machine; everything that is copied exists."""
    copied = [
        source
        for name, rest in instructions(OURS)
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert ignored[0] == "*"
    assert sorted(copied) == sorted(line.removeprefix("!") for line in ignored if line.startswith("!"))
    assert all((ROOT / source).exists() for source in copied)


def test_its_variables_are_settings() -> None:
    """A misspelt one would stop the start."""
    known = {name for name in image_environment() if name.startswith("FARTHING_")}
    assert known == {"FARTHING_SERVER__HOST", "FARTHING_SERVER__PORT", "FARTHING_LOG__FORMAT"}
    assert len(list(variables(image_environment()))) == len(known)
