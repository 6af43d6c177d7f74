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
