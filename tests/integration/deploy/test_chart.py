"""The chart: its values are held to its schema, its templates use all of them and nothing else."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from jsonschema_rs import validator_for

from farthing.http.probes import LIVE, READY
from farthing.settings.sections import ServerSettings
from tests.integration.deploy.declared import CHART, ROOT, image_environment, templates, values

ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
OPENS = ("if", "with", "range", "define")
USED = re.compile(r"\.Values\.([A-Za-z0-9_.]+)")
WHOLE = {
    "affinity",
    "env",
    "ingress.annotations",
    "nodeSelector",
    "podAnnotations",
    "podLabels",
    "resources",
    "service.annotations",
    "serviceAccount.annotations",
}
"""Values that are passed on as they are."""


def actions() -> Iterator[tuple[str, str]]:
    """Each template's name with each of its actions."""
    for name, text in templates().items():
        for action in ACTION.findall(text):
            yield name, action


def leaves(tree: dict[str, Any], above: str = "") -> Iterator[str]:
    """The paths of all values."""
    for name, value in tree.items():
        path = f"{above}{name}"
        if isinstance(value, dict) and path not in WHOLE:
            yield from leaves(value, f"{path}.")
        else:
            yield path


def schema() -> dict[str, Any]:
    """The schema of the values."""
    found: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    return found


def test_templates_use_every_value_and_no_other() -> None:
    """A misspelt path would be empty in silence."""
    used = {path for _, action in actions() for path in USED.findall(action)}
    assert used == set(leaves(values()))


def test_every_block_is_closed_and_every_name_defined() -> None:
    """Each template by itself."""
    for name in templates():
        words = [action.split()[0] for file, action in actions() if file == name]
        assert words.count("end") == sum(words.count(word) for word in OPENS), name
    defined = {action.split('"')[1] for _, action in actions() if action.startswith("define")}
    included = {name for _, action in actions() for name in re.findall(r'include "([^"]+)"', action)}
    assert included == defined


def test_defaults_fit_the_schema_and_the_schema_covers_them() -> None:
    """Every default is described; a name that nobody knows is refused at every level."""
    validator = validator_for(schema())
    assert validator.is_valid(values())
    for path in leaves(values()):
        place, described = values(), schema()
        *above, last = path.split(".")
        for name in above:
            place, described = place[name], described["properties"][name]
            assert described["additionalProperties"] is False
        assert last in described["properties"], path
    assert not validator.is_valid({**values(), "replicas": 3})


@pytest.mark.parametrize(
    "wrong",
    [
        {"existingSecret": ""},
        {"workers": 0},
        {"image": {"repository": "farthing", "digest": "latest"}},
        {"shutdown": {"lameDuckSeconds": -1, "drainSeconds": 30}},
        {"service": {"port": 70000}},
        {"env": {"not a name": "1"}},
    ],
)
def test_wrong_values_are_refused(wrong: dict[str, Any]) -> None:
    """Before anything reaches a cluster."""
    assert not validator_for(schema()).is_valid({**values(), **wrong})


def test_a_pod_has_time_to_end() -> None:
    """Lame duck, drain and more than the second that the rest may take; the image ends on the signal that is sent."""
    text = templates()["deployment.yaml"]
    [more] = re.findall(r"PeriodSeconds: .*lameDuckSeconds .Values.shutdown.drainSeconds (\d+) ", text)
    assert int(more) > 1
    assert set(re.findall(r"FARTHING_SERVER__(\w+)", text)) <= {name.upper() for name in ServerSettings.model_fields}


def test_probes_ask_what_there_is() -> None:
    """Readiness and start by one, liveness by the other, at the port that the image listens on."""
    text = templates()["deployment.yaml"]
    asked = re.findall(r"(\w+)Probe:\n\s+httpGet:\n\s+path: (\S+)\n\s+port: http\n", text)
    assert asked == [("startup", READY), ("readiness", READY), ("liveness", LIVE)]
    assert re.findall(r"containerPort: (\d+)", text) == [image_environment()["FARTHING_SERVER__PORT"]]


@pytest.mark.parametrize("name", ["deployment.yaml", "migration.yaml"])
def test_pods_may_do_little(name: str) -> None:
    """Nobody special, nothing to write but two folders, no way to the cluster, no secret of the chart's own."""
    text = templates()[name]
    for part in ("farthing.podSecurity", "farthing.containerSecurity", "automountServiceAccountToken: false"):
        assert part in text
    assert "kind: Secret" not in "".join(templates().values())
    names = templates()["_names.tpl"]
    for line in ("runAsNonRoot: true", "readOnlyRootFilesystem: true", "allowPrivilegeEscalation: false"):
        assert line in names


def test_the_chart_is_of_this_release() -> None:
    """Its application is the version that the project has."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (chart["appVersion"], chart["apiVersion"]) == (project["version"], "v2")
