"""What Compose and Helm make of the files under deploy/, without an engine or a cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.integration.deploy.declared import CHART, ROOT

Manifest = dict[str, Any]
ALONE = ("-f", "deploy/compose.yaml")
FULL = (*ALONE, "--env-file", "deploy/full.env")
"""What Compose is called with, as docs/deploy.md tells."""


class Refused(Exception):
    """A tool did not take what it was given; the message is its own."""


def said(program: str, *arguments: str | Path, standard_input: str = "", **environment: str) -> str:
    """What a tool answers, called in the repository with nobody's own settings. Raises `Refused`."""
    done = subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
        input=standard_input,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


def compose(variables: Mapping[str, str], *options: str) -> dict[str, Any]:
    """compose.yaml as Compose reads it where these variables are set. Raises `Refused`."""
    declared: dict[str, Any] = json.loads(said("docker-compose", *options, "config", "--format", "json", **variables))
    return declared


def helm(*arguments: str | Path, values: Mapping[str, Any] | None = None) -> str:
    """What Helm answers, where there are values with them over the chart's own. Raises `Refused`."""
    given = ("--values", "-") if values else ()
    return said("helm", *arguments, *given, standard_input=json.dumps(values or {}))


def rendered(values: Mapping[str, Any], *options: str) -> dict[str, Manifest]:
    """The manifests of a release called farthing, by kind. Raises `Refused`."""
    manifests = list(yaml.safe_load_all(helm("template", "farthing", CHART, *options, values=values)))
    by_kind = {manifest["kind"]: manifest for manifest in manifests}
    assert len(by_kind) == len(manifests)
    return by_kind
