"""`deploy/`: what it repeats of the platform is the same there, and what can read it reads it."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared_resources.dagster_instance import instance
from shared_resources.environment import PROJECT_ROOT, EnvironmentProblem
from shared_resources.serving.servers import PATIENCE
from shared_resources.streams.kept_up.keeper import SOMEBODY_ACTS
from shared_resources.streams.standing import MessagesGone

DEPLOY = PROJECT_ROOT / "deploy"
UNIT = DEPLOY / "systemd" / "mesh-serve.service"
STREAM = DEPLOY / "systemd" / "mesh-stream@.service"
CHART = DEPLOY / "helm" / "streams"


def _yaml(file: str) -> Any:
    return yaml.safe_load((DEPLOY / file).read_text())


def _domains() -> set[str]:
    return {file.parent.name for file in (PROJECT_ROOT / "domains").glob("*/domain.yaml")}


def _streams() -> set[str]:
    """The products that are made of topics."""
    files = (PROJECT_ROOT / "domains").glob("*/products/*/contract.odcs.yaml")
    return {
        f"{file.parents[2].name}/{file.parent.name}"
        for file in files
        if "property: stream" in file.read_text()
    }


def _live() -> set[str]:
    """The products whose served rows follow a stream."""
    files = (PROJECT_ROOT / "domains").glob("*/products/*/product.py")
    return {
        f"{file.parents[2].name}/{file.parent.name}"
        for file in files
        if "@live(" in file.read_text()
    }


def _services() -> dict[str, tuple[str, list[str]]]:
    """Of each stream's service the product, and its command."""
    runs = {one.replace("/", "-"): (one, ["mesh", "stream", one]) for one in _streams()}
    live = {f"{one}-live": (one, ["mesh", "stream", "live", one]) for one in _live()}
    return runs | {name.replace("/", "-").replace("_", "-"): one for name, one in live.items()}


def test_the_limits_of_runs_and_pools_are_those_of_the_platform() -> None:
    written = yaml.safe_load(instance._CONFIGURATION)
    composed = _yaml("compose/dagster.yaml")
    assert composed["storage"]["custom"]["class"] == "MeshPostgresStorage"
    assert {name: composed[name] for name in written} == written
    charted = _yaml("helm/values.yaml")["concurrency"]
    limits, pools = written["concurrency"]["runs"], written["concurrency"]["pools"]
    assert charted["runs"]["tagConcurrencyLimits"] == limits["tag_concurrency_limits"]
    assert charted["pools"] == {
        "defaultLimit": pools["default_limit"],
        "granularity": pools["granularity"],
    }


def test_every_domain_has_a_container_and_an_entry() -> None:
    composed = _yaml("compose/compose.yaml")["services"]
    others = {"postgres", "webserver", "daemon", *_services()}
    assert _domains() == set(composed) - others
    for domain in _domains():
        assert composed[domain]["build"]["args"] == {"DOMAIN": domain}
    entries = [one["grpc_server"] for one in _yaml("compose/workspace.yaml")["load_from"]]
    assert {entry["location_name"] for entry in entries} == _domains()
    assert all(entry["host"] == entry["location_name"] for entry in entries)


# What the chart's definitions hold of that which we say; it refuses what is none of them, or passes it
# over in silence. `...` is what Kubernetes itself defines, or free.
_IMAGE = {"repository": str, "tag": str, "pullPolicy": str}
_CHART: dict[str, Any] = {
    "global": {"postgresqlSecretName": str},
    "generatePostgresqlPasswordSecret": bool,
    "postgresql": {
        "enabled": bool,
        **dict.fromkeys(("postgresqlHost", "postgresqlUsername", "postgresqlDatabase"), str),
        "service": {"port": int},
    },
    "dagsterWebserver": {"replicaCount": int, "image": _IMAGE, "resources": ...},
    "dagsterDaemon": {
        "enabled": bool,
        "image": _IMAGE,
        "runMonitoring": ...,
        "runCoordinator": {
            "enabled": bool,
            "type": str,
            "config": {"queuedRunCoordinator": {}},
        },
        "resources": ...,
    },
    "concurrency": {
        "enabled": bool,
        "pools": {"defaultLimit": int, "granularity": str},
        "runs": {
            "maxConcurrentRuns": int,
            "tagConcurrencyLimits": [{"key": str, "limit": int, "value": ...}],
        },
    },
    "runLauncher": {
        "type": str,
        "config": {
            "k8sRunLauncher": {
                "imagePullPolicy": str,
                "loadInclusterConfig": bool,
                **{key: [...] for key in ("envConfigMaps", "envSecrets", "envVars")},
                **{key: [...] for key in ("volumeMounts", "volumes")},
                "runK8sConfig": ...,
            }
        },
    },
    "rabbitmq": {"enabled": bool},
    "redis": {"enabled": bool},
    "dagster-user-deployments": {
        "enabled": bool,
        "enableSubchart": bool,
        "deployments": [
            {
                "name": str,
                "image": _IMAGE,
                "dagsterApiGrpcArgs": [str],
                "port": int,
                "includeConfigInLaunchedRuns": {"enabled": bool},
                "env": {"MESH_ENV": str, "MESH_HOME": str},
                **{key: [{"name": str}] for key in ("envConfigMaps", "envSecrets")},
                **{key: [...] for key in ("volumes", "volumeMounts")},
                **dict.fromkeys(("resources", "readinessProbe"), ...),
            }
        ],
    },
}


def _unknown(value: Any, held: Any, where: str = "values.yaml") -> list[str]:
    if held is ...:
        return []
    if isinstance(held, dict) and isinstance(value, dict):
        strange = [f"{where}: {key}" for key in value.keys() - held.keys()]
        known = [(key, one) for key, one in value.items() if key in held]
        return strange + [
            said for key, one in known for said in _unknown(one, held[key], f"{where}: {key}")
        ]
    if isinstance(held, list) and isinstance(value, list):
        return [said for one in value for said in _unknown(one, held[0], where)]
    right = isinstance(held, type) and type(value) is held
    return [] if right else [f"{where}: {value!r}"]


def test_every_value_is_one_that_the_chart_has() -> None:
    values = _yaml("helm/values.yaml")
    assert _unknown(values, _CHART) == []
    values["dagsterDaemon"]["runMonitorin"] = values["dagsterDaemon"].pop("runMonitoring")
    values["postgresql"]["service"]["port"] = "5432"
    assert len(_unknown(values, _CHART)) == 2


_FILES = [
    *("compose/compose.yaml", "helm/values.yaml", "systemd/mesh.env"),
    "helm/streams/values.yaml",
]


@pytest.mark.parametrize("file", _FILES)
def test_no_secret_stands_in_a_file(file: str) -> None:
    text = (DEPLOY / file).read_text().lower()
    for line in text.splitlines():
        name, _, value = line.strip().partition(":" if file.endswith("yaml") else "=")
        if not line.startswith("#") and name.endswith(("password", "token", "_url")):
            assert not value.strip(), line


def test_a_stop_waits_for_as_long_as_runs_are_given() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(UNIT)
    minutes = int(unit["Service"]["TimeoutStopSec"].removesuffix("min"))
    assert timedelta(minutes=minutes) > PATIENCE
    grace = _yaml("compose/compose.yaml")["services"]["order"]["stop_grace_period"]
    assert timedelta(minutes=int(grace.removesuffix("m"))) > PATIENCE


needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not here"
)


@needs_systemd
@pytest.mark.parametrize(
    ("unit", "name"),
    [(UNIT, UNIT.name), (STREAM, STREAM.name), (STREAM, "mesh-stream@order-purchases.2.service")],
)
def test_systemd_reads_the_unit(unit: Path, name: str, tmp_path: Path) -> None:
    executable = shutil.which("true")
    text = unit.read_text().replace("/opt/mesh/.venv/bin/mesh", str(executable))
    (tmp_path / unit.name).write_text(text.replace("/opt/mesh", "/"))
    read = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", name],
        capture_output=True,
        text=True,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:/usr/lib/systemd/system:/lib/systemd/system"},
    )
    assert (read.returncode, read.stderr) == (0, "")


@pytest.mark.parametrize(
    ("instance", "starts"),
    [
        ("order/purchases", "order/purchases"),
        ("order/purchases.2", "order/purchases"),
        ("live/recommendation/next_products", "live recommendation/next_products"),
        ("gate/order/purchases.2", "gate order/purchases"),
        ("job/order/purchases", "job order/purchases"),
        ("live/receipts", "live/receipts"),
    ],
)
def test_the_unit_of_a_stream_starts_its_product_and_not_what_somebody_has_to_mend(
    instance: str, starts: str, tmp_path: Path
) -> None:
    """What `%I` is of `mesh-stream@order-purchases.2`, through the unit's own line."""
    mesh = tmp_path / "mesh"
    mesh.write_text('#!/bin/sh\necho "$@"\n')
    mesh.chmod(0o755)
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(STREAM)
    line = unit["Service"]["ExecStart"].replace("/opt/mesh/.venv/bin/mesh", str(mesh))
    line = line.replace("$$", "$").replace("%%", "%").replace("%I", instance)
    said = subprocess.run(shlex.split(line), capture_output=True, text=True, check=True).stdout
    assert said == f"stream {starts}\n"
    assert int(unit["Service"]["RestartPreventExitStatus"]) == MessagesGone.exit_code
    assert MessagesGone.exit_code == EnvironmentProblem.exit_code == SOMEBODY_ACTS


def test_every_stream_has_a_container_and_a_deployment() -> None:
    composed = _yaml("compose/compose.yaml")["services"]
    for name, (product, command) in _services().items():
        service = composed[name]
        assert service["command"] == command
        assert service["image"] == composed[product.split("/")[0]]["image"]
        assert service["healthcheck"] == {"disable": True}
    charted = _yaml("helm/streams/values.yaml")["streams"]
    assert {one["product"] for one in charted} == _streams() | _live()
    for one in charted:
        domain = one["product"].split("/")[0]
        assert one.get("live", False) is (one["product"] in _live())
        assert (one["image"], one["secret"]) == (f"mesh-{domain}:1", f"mesh-{domain}")


@pytest.mark.skipif(shutil.which("helm") is None, reason="helm is not here")
def test_helm_makes_a_deployment_of_each_stream() -> None:
    made = subprocess.run(
        ["helm", "template", "mesh", str(CHART)], capture_output=True, text=True, check=True
    )
    for deployment in filter(None, yaml.safe_load_all(made.stdout)):
        assert deployment["kind"] == "Deployment"
        pod = deployment["spec"]["template"]
        selected = deployment["spec"]["selector"]["matchLabels"].items()
        assert selected <= pod["metadata"]["labels"].items()
        [container] = pod["spec"]["containers"]
        assert container["args"][:2] == ["mesh", "stream"]
        assert {next(iter(one)) for one in container["envFrom"]} == {"configMapRef", "secretRef"}
