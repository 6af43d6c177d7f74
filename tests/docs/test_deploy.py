"""`deploy/`: what it repeats of the platform is the same there, and what can read it reads it."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared_resources.dagster_instance import instance
from shared_resources.environment import PROJECT_ROOT
from shared_resources.serving.servers import PATIENCE

DEPLOY = PROJECT_ROOT / "deploy"
UNIT = DEPLOY / "systemd" / "mesh-serve.service"


def _yaml(file: str) -> Any:
    return yaml.safe_load((DEPLOY / file).read_text())


def _domains() -> set[str]:
    return {file.parent.name for file in (PROJECT_ROOT / "domains").glob("*/domain.yaml")}


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
    assert _domains() == set(composed) - {"postgres", "webserver", "daemon"}
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


@pytest.mark.parametrize("file", ["compose/compose.yaml", "helm/values.yaml", "systemd/mesh.env"])
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


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    executable = shutil.which("true")
    text = UNIT.read_text().replace("/opt/mesh/.venv/bin/mesh", str(executable))
    unit = tmp_path / UNIT.name
    unit.write_text(text.replace("/opt/mesh", "/"))
    read = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True
    )
    assert (read.returncode, read.stderr) == (0, "")
