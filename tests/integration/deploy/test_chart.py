"""The chart: Helm renders it, Kubernetes' schemas hold what comes out, the gateway takes what its pods are given."""

from __future__ import annotations

import json
import re
import tarfile
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import typer.main
import yaml  # type: ignore[import-untyped]

from farthing.cli import PROGRAM
from farthing.http.probes import LIVE, READY
from farthing.settings import Settings, load
from tests.integration.deploy.declared import CHART, ROOT, image, image_environment, templates, values
from tests.integration.deploy.sets import SECRET, SETS
from tests.integration.deploy.tools import Manifest, Refused, helm, rendered

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
OLDEST = "1.25"
VERSIONS = (OLDEST, kubernetes_validate.latest_version())


@cache
def chart(name: str) -> Mapping[str, Manifest]:
    """The manifests of a set, by kind."""
    return rendered(SETS[name])


def leaves(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The paths of all values, with the values."""
    for name, value in tree.items():
        path = f"{above}{name}"
        if isinstance(value, dict) and path not in WHOLE:
            yield from leaves(value, f"{path}.")
        else:
            yield path, value


def pods(manifests: Mapping[str, Manifest]) -> dict[str, Manifest]:
    """What the gateway's and the migration's pods are made from, by the kind of what makes them."""
    return {kind: manifests[kind]["spec"]["template"] for kind in ("Deployment", "Job") if kind in manifests}


def container(pod: Manifest) -> dict[str, Any]:
    """The only one."""
    [found] = pod["spec"]["containers"]
    return dict(found)


def environment(pod: Manifest) -> dict[str, str]:
    """What runs in a pod finds there, of the image, the secret and the manifest."""
    own = {}
    for variable in container(pod).get("env", ()):
        reference = variable.get("valueFrom", {}).get("secretKeyRef")
        own[variable["name"]] = SECRET[reference["key"]] if reference else variable["value"]
    return {**image_environment(), **SECRET, **own}


def settings_in(pod: Manifest, manifests: Mapping[str, Manifest], folder: Path) -> Settings:
    """The settings that the gateway makes of them. Raises `SettingsError` for what it does not know."""
    variables = environment(pod)
    if "FARTHING_CONFIG" in variables:
        file = folder / Path(variables["FARTHING_CONFIG"]).name
        file.write_text(manifests["ConfigMap"]["data"][file.name], encoding="utf-8")
        variables["FARTHING_CONFIG"] = str(file)
    return load(environ=variables)


def taken(arguments: list[str]) -> dict[str, Any]:
    """What the command line makes of these arguments, without running the command. Raises its usage errors."""
    program = typer.main.get_command(PROGRAM)
    assert isinstance(program, typer.core.TyperGroup)
    name, *options = arguments
    return program.commands[name].make_context(name, options).params


@pytest.mark.parametrize("name", SETS)
def test_helm_finds_nothing_to_mend(name: str) -> None:
    """Not even a warning."""
    assert "[WARNING]" not in helm("lint", "--strict", CHART, values=SETS[name])


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(version: str) -> None:
    """In the oldest version that the chart admits, and in the newest there is; many sets share manifests."""
    distinct = {json.dumps(manifest): manifest for name in SETS for manifest in chart(name).values()}
    for manifest in distinct.values():
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_field_that_kubernetes_does_not_know_would_be_found(version: str) -> None:
    """In the middle of a pod."""
    deployment = rendered({})["Deployment"]
    deployment["spec"]["template"]["spec"]["terminationGracePeriod"] = 30
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGracePeriod"):
        kubernetes_validate.validate(deployment, version, strict=True)


def test_a_cluster_that_is_too_old_is_refused() -> None:
    """Before anything is asked of it."""
    assert rendered({}, "--kube-version", f"{OLDEST}.0")
    with pytest.raises(Refused, match="kubeVersion"):
        rendered({}, "--kube-version", "1.24.17")


def test_every_value_is_tried_and_used() -> None:
    """Some set differs from the default in each, and a misspelt path in a template would be empty in silence."""
    given = dict(leaves(values()))
    tried = {path for one in SETS.values() for path, value in leaves(one) if value != given.get(path)}
    assert tried == set(given)
    assert {path for text in templates().values() for path in USED.findall(text)} == set(given)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"replicas": 3}, "replicas"),
        ({"existingSecret": ""}, "existingSecret"),
        ({"workers": 0}, "workers"),
        ({"workers": "two"}, "workers"),
        ({"image": {"digest": "latest"}}, "image.digest"),
        ({"image": {"repository": None}}, "repository"),
        ({"shutdown": {"lameDuckSeconds": -1}}, "shutdown.lameDuckSeconds"),
        ({"service": {"port": 70000}}, "service.port"),
        ({"service": {"type": "ExternalName"}}, "service.type"),
        ({"ingress": {"hosts": []}}, "ingress.hosts"),
        ({"autoscaling": {"targetCPUUtilizationPercentage": 150}}, "autoscaling.targetCPUUtilizationPercentage"),
        ({"podDisruptionBudget": {"maxUnavailable": "half"}}, "podDisruptionBudget.maxUnavailable"),
        ({"journal": {"sizeLimit": "2GB"}}, "journal.sizeLimit"),
        ({"env": {"not a name": "1"}}, "not a name"),
        ({"migration": {"enabled": "no"}}, "migration.enabled"),
    ],
)
def test_wrong_values_are_refused_by_name(wrong: dict[str, Any], said: str) -> None:
    """Before anything reaches a cluster."""
    with pytest.raises(Refused, match=re.escape(said)):
        rendered(wrong)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("bare", set()),
        ("defaults", {"HorizontalPodAutoscaler", "Job", "PodDisruptionBudget", "ServiceAccount"}),
        ("fixed number", {"Job", "PodDisruptionBudget", "ServiceAccount"}),
        ("ingress", {"HorizontalPodAutoscaler", "Ingress", "Job", "PodDisruptionBudget", "ServiceAccount"}),
        ("settings", {"ConfigMap", "HorizontalPodAutoscaler", "Job", "PodDisruptionBudget", "ServiceAccount"}),
    ],
)
def test_what_is_asked_for_is_there_and_nothing_else(name: str, kinds: set[str]) -> None:
    """No set has a secret of the chart's own."""
    assert set(chart(name)) == {"Deployment", "Service", *kinds}


@pytest.mark.parametrize("name", SETS)
def test_the_gateway_takes_what_its_pods_are_given(name: str, tmp_path: Path) -> None:
    """No option that the command line does not know, no variable that is no setting, and the secret's database."""
    manifests = chart(name)
    for kind, pod in pods(manifests).items():
        command, *_ = arguments = container(pod)["args"]
        options = taken(arguments)
        assert (command, options.get("workers")) == {
            "Deployment": ("serve", SETS[name].get("workers", values()["workers"])),
            "Job": ("migrate", None),
        }[kind]
        settings = settings_in(pod, manifests, tmp_path)
        assert settings.database.url.get_secret_value() == SECRET["DATABASE_URL"]
        assert not settings.is_loopback


def test_variables_and_the_file_arrive(tmp_path: Path) -> None:
    """Large numbers and booleans as they were written, for the migration, too; the file where the variable points."""
    manifests = chart("settings")
    for pod in pods(manifests).values():
        settings = settings_in(pod, manifests, tmp_path)
        assert (settings.cache.ttl_s, settings.cache.enabled) == (3_000_000, True)
        assert environment(pod)["HTTPS_PROXY"] == "http://proxy:3128"
    gateway = pods(manifests)["Deployment"]
    assert settings_in(gateway, manifests, tmp_path).learning.retrain_every_hours == 0
    [mounted] = [mount for mount in container(gateway)["volumeMounts"] if mount["name"] == "config"]
    assert Path(environment(gateway)["FARTHING_CONFIG"]).parent == Path(mounted["mountPath"])


@pytest.mark.parametrize("name", SETS)
def test_secrets_stand_there_by_name_alone(name: str) -> None:
    """Each pod takes all keys of the one that exists, and does not start where it lacks the database."""
    secret = SETS[name].get("existingSecret", values()["existingSecret"])
    for pod in pods(chart(name)).values():
        assert container(pod)["envFrom"] == [{"secretRef": {"name": secret}}]
        [database] = [variable for variable in container(pod)["env"] if variable["name"] == "DATABASE_URL"]
        assert database["valueFrom"] == {"secretKeyRef": {"name": secret, "key": "DATABASE_URL"}}


@pytest.mark.parametrize("name", SETS)
def test_a_pod_has_time_to_end(name: str, tmp_path: Path) -> None:
    """Lame duck and drain are what the values say, and more than the second that the rest may take is left."""
    manifests = chart(name)
    pod = pods(manifests)["Deployment"]
    settings = settings_in(pod, manifests, tmp_path)
    asked = values()["shutdown"] | SETS[name].get("shutdown", {})
    assert (settings.lame_duck_s, settings.server.drain_s) == (asked["lameDuckSeconds"], asked["drainSeconds"])
    assert pod["spec"]["terminationGracePeriodSeconds"] > settings.lame_duck_s + settings.server.drain_s + 1


def test_probes_ask_what_there_is() -> None:
    """Readiness by one; start and liveness by the other, so that no pod is replaced while the database is away."""
    gateway = container(pods(chart("defaults"))["Deployment"])
    asked = {name: gateway[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert {name: probe["path"] for name, probe in asked.items()} == {
        "startup": LIVE,
        "readiness": READY,
        "liveness": LIVE,
    }
    [port] = gateway["ports"]
    assert {probe["port"] for probe in asked.values()} == {port["name"]}
    assert str(port["containerPort"]) == image_environment()["FARTHING_SERVER__PORT"]


def test_balancers_find_out_within_the_lame_duck() -> None:
    """The probes that it takes to notice are over before the gateway lets nobody in."""
    manifests = chart("defaults")
    probe = container(pods(manifests)["Deployment"])["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] < values()["shutdown"]["lameDuckSeconds"]


@pytest.mark.parametrize("name", SETS)
def test_pods_may_do_little(name: str) -> None:
    """The image's user, no other rights, nothing to write but its folders, no way to the cluster."""
    [user, group] = [rest for said, rest in image() if said == "USER"][-1].split(":")
    for pod in pods(chart(name)).values():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": int(user),
            "runAsGroup": int(group),
            "fsGroup": int(group),
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert container(pod)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        written = {mount["mountPath"] for mount in container(pod)["volumeMounts"] if not mount.get("readOnly")}
        assert written - {"/tmp"} == {image_environment()["HOME"]}  # noqa: S108
        assert {mount["name"] for mount in container(pod)["volumeMounts"]} == {each["name"] for each in spec["volumes"]}


@pytest.mark.parametrize("name", ["defaults", "ingress", "own names"])
def test_names_lead_to_one_another(name: str) -> None:
    """Whoever scales, balances, protects or publishes the gateway finds its pods, and not the migration's."""
    manifests = chart(name)
    labels = {kind: pod["metadata"]["labels"].items() for kind, pod in pods(manifests).items()}
    for selector in (
        manifests["Deployment"]["spec"]["selector"]["matchLabels"],
        manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        manifests["Service"]["spec"]["selector"],
    ):
        assert selector.items() <= labels["Deployment"]
        assert not selector.items() <= labels["Job"]
    deployment, service = manifests["Deployment"]["metadata"]["name"], manifests["Service"]
    assert manifests["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == deployment
    account = manifests["ServiceAccount"]["metadata"]["name"]
    assert manifests["Deployment"]["spec"]["template"]["spec"]["serviceAccountName"] == account
    [port] = service["spec"]["ports"]
    assert port["targetPort"] in {each["name"] for each in container(pods(manifests)["Deployment"])["ports"]}
    for rule in manifests.get("Ingress", {"spec": {"rules": ()}})["spec"]["rules"]:
        [path] = rule["http"]["paths"]
        assert path["backend"]["service"] == {"name": service["metadata"]["name"], "port": {"name": port["name"]}}


def test_the_migration_runs_where_the_gateway_may() -> None:
    """On the same nodes, within the same bounds: else it would wait for a place until its deadline."""
    gateway, migration = pods(chart("placed")).values()
    for name in ("nodeSelector", "tolerations", "affinity"):
        assert migration["spec"][name] == gateway["spec"][name] == SETS["placed"][name]
    assert container(migration)["resources"] == container(gateway)["resources"]


def test_what_is_documented_installs() -> None:
    """The command of docs/deploy.md as it stands there, with a secret of those keys."""
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    assert set(re.findall(r"--from-literal=(\w+)=", page)) == set(SECRET)
    [command] = re.findall(r"^helm (install .*)$", page, re.MULTILINE)
    assert 'image: "registry.example/farthing:' in helm(*command.replace("install", "template").split())


def test_the_package_is_the_chart(tmp_path: Path) -> None:
    """Of this release, with every file of the chart and no other; what it renders is the same."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    helm("package", CHART, "--destination", tmp_path)
    [archive] = tmp_path.iterdir()
    with tarfile.open(archive) as package:
        files = {Path(name).relative_to("farthing") for name in package.getnames()}
    assert files == {path.relative_to(CHART) for path in CHART.rglob("*") if path.is_file()}
    assert helm("template", "farthing", archive) == helm("template", "farthing", CHART)
    about = yaml.safe_load(helm("show", "chart", archive))
    assert (about["version"], about["appVersion"]) == (project["version"], project["version"])
