"""A running `mesh serve` over Postgres, and releases of small domains to serve.

Belongs here: starting and stopping it, asking its webserver, writing releases and their environments.
Does not belong here: what must hold (the tests).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
import yaml

from shared_resources.serving.servers import CodeServer, Servers
from tests.cli.commands import MESH, heeding_interrupts, processes_of
from tests.tiny_mesh import column, contract_text

LOADS = timedelta(seconds=120)
_ON_POSTGRES = """\
telemetry: {enabled: false}
nux: {enabled: false}
run_monitoring: {enabled: true, free_slots_after_run_end_seconds: 30}
concurrency:
  runs: {max_concurrent_runs: 4}
  pools: {default_limit: 1, granularity: op}
storage:
  custom:
    module: shared_resources.production.dagster_storage
    class: MeshPostgresStorage
    config: {postgres_url: {env: TEST_POSTGRES}}
"""
_DEFINITIONS = '''
"""The {domain} domain."""

import time

import dagster as dg
import polars

from shared_resources import build_domain

{first}


@dg.op(config_schema={{"seconds": int}})
def wait(context: dg.OpExecutionContext) -> None:
    time.sleep(context.op_config["seconds"])


@dg.job(metadata={{"polars": polars.__version__}}, executor_def=dg.in_process_executor)
def release_{number}() -> None:
    wait()


@dg.job(executor_def=dg.in_process_executor)
def long() -> None:
    wait()


defs = build_domain(__file__, jobs=[release_{number}, long])
'''


@dataclass(frozen=True)
class Served:
    """A `mesh serve` that runs, and where its webserver listens."""

    home: Path
    port: int
    process: subprocess.Popen[bytes]
    variables: dict[str, str]

    @property
    def servers(self) -> Servers:
        return Servers(self.home)

    def ask(self, query: str, **variables: Any) -> Any:
        asked = Request(
            f"http://127.0.0.1:{self.port}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urlopen(asked, timeout=30) as answer:
            told = json.load(answer)
        assert "errors" not in told, told
        return told["data"]

    def deploy(self, server: CodeServer) -> None:
        """As `mesh deploy` does once a release is built."""
        before = self.servers.serving(server.domain)
        self.servers.start(server)
        self.servers.wait_loaded(server, LOADS)
        self.servers.switch(server)
        if before:
            self.servers.stop(server.domain, before, timedelta(minutes=2))

    def locations(self) -> dict[str, dict[str, str]]:
        """Of each location that is loaded: its jobs, with what polars each names."""
        entries = self.ask(_LOCATIONS)["workspaceOrError"]["locationEntries"]
        return {
            entry["name"]: {
                job["name"]: "".join(one.get("text", "") for one in job["metadataEntries"])
                for repository in entry["locationOrLoadError"].get("repositories", ())
                for job in repository["jobs"]
            }
            for entry in entries
        }

    def ticks(self, domain: str) -> list[dict[str, Any]]:
        """Of the domain's landing sensor, the oldest first."""
        selector = {
            "repositoryName": "__repository__",
            "repositoryLocationName": domain,
            "sensorName": f"{domain}_landing",
        }
        told = self.ask(_TICKS, selector=selector)["sensorOrError"]
        return sorted(told["sensorState"]["ticks"], key=lambda tick: float(tick["timestamp"]))

    def runs(self) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = self.ask(_RUNS)["runsOrError"]["results"]
        return results

    def launch(self, domain: str, job: str, seconds: int) -> str:
        """Launch a job that waits; its run's id."""
        params = {
            "selector": {
                "repositoryName": "__repository__",
                "repositoryLocationName": domain,
                "jobName": job,
            },
            "runConfigData": {"ops": {"wait": {"config": {"seconds": seconds}}}},
        }
        told = self.ask(_LAUNCH, params=params)["launchRun"]
        assert "run" in told, told
        return str(told["run"]["runId"])

    def status(self, run: str) -> str:
        return str(self.ask(_STATUS, run=run)["runOrError"]["status"])


_LOCATIONS = """{workspaceOrError {... on Workspace {locationEntries {name locationOrLoadError {
  __typename ... on RepositoryLocation {repositories {jobs {name metadataEntries {
  label ... on TextMetadataEntry {text}}}}}}}}}}"""
_TICKS = """query ($selector: SensorSelector!) {sensorOrError(sensorSelector: $selector) {
  ... on Sensor {sensorState {ticks(limit: 1000) {status timestamp error {message}}}}}}"""
_RUNS = """{runsOrError(limit: 1000) {... on Runs {results {runId status jobName
  repositoryOrigin {repositoryLocationName}}}}}"""
_LAUNCH = """mutation ($params: ExecutionParams!) {launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess {run {runId}} ... on PythonError {message}}}"""
_STATUS = "query ($run: ID!) {runOrError(runId: $run) {... on Run {status}}}"


@contextmanager
def served(postgres: str | None, **variables: str) -> Iterator[Served]:
    """`mesh serve` over an empty mesh, stopped at the end; no process of it is left."""
    home = Path(tempfile.mkdtemp(prefix="mesh-"))  # short: a socket's path may have 107 bytes
    if postgres:
        (home / "dagster").mkdir()
        (home / "dagster" / "dagster.yaml").write_text(_ON_POSTGRES)
        variables["TEST_POSTGRES"] = postgres
    for domains in ("mesh/domains", "mesh/dbt_project/models"):
        (home / domains).mkdir(parents=True)
    clean = {n: v for n, v in os.environ.items() if not n.startswith(("MESH_", "DAGSTER_"))}
    variables = {**clean, "MESH_HOME": str(home), "MESH_ROOT": str(home / "mesh"), **variables}
    with pytest.MonkeyPatch.context() as here:
        here.setenv("TEST_POSTGRES", postgres or "")  # who deploys opens the same instance
        running = start_serving(home, free_port(), variables)
        try:
            yield running
        finally:
            _stop(running)


def _stop(running: Served) -> None:
    try:
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(180)
        assert processes_of(running.home) == []
    finally:
        shutil.rmtree(running.home)


def start_serving(home: Path, port: int, variables: dict[str, str]) -> Served:
    """Start `mesh serve`, and wait until its supervisor and webserver answer."""
    with (home / "serve.log").open("ab") as log, heeding_interrupts():
        process = subprocess.Popen(
            [MESH, "serve", "--port", str(port)],
            env=variables,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Served(home, port, process, variables)

    def is_up() -> bool:
        assert process.poll() is None, (home / "serve.log").read_text()
        try:
            return running.servers.is_up() and bool(running.ask("{version}"))
        except (URLError, OSError):
            return False

    wait_until(is_up, 120, "mesh serve answers")
    return running


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.3)


def release(folder: Path, domain: str, number: int, python: Path, first: str = "") -> CodeServer:
    """A release of a domain with an ingest product, and a job that is named after its number.

    `first` is what its `definitions.py` does before anything else.
    """
    root = folder / f"{domain}-{number}"
    (root / "dbt_project" / "models").mkdir(parents=True)
    (root / "workspace.yaml").write_text("load_from: []\n")
    write_domain(root, domain, number, first)
    return CodeServer(domain, f"{number:064x}", python, root)


def write_domain(root: Path, domain: str, number: int, first: str = "") -> None:
    """The files of such a domain below a project's root, in place of what they were."""
    product = root / "domains" / domain / "products" / "lines"
    product.mkdir(parents=True, exist_ok=True)
    central = {
        "approvers": ["governance@example.com"],
        "lossBudgetPercent": 60,
        "open": ["public", "internal"],
    }
    (root / "domains" / "governance.yaml").write_text(yaml.safe_dump(central))
    owner = f"{domain}@example.com"
    described = {
        "name": domain,
        "description": f"The {domain} domain, for tests.",
        "archetype": "source-aligned",
        "owner": owner,
        "owners": [owner],
        "contact": f"#{domain}",
        "waivers": [],
    }
    (root / "domains" / domain / "domain.yaml").write_text(yaml.safe_dump(described))
    landing = {"prefix": f"{domain}/lines", "format": "csv", "object": "*.csv"}
    text = contract_text(f"{domain}/lines", [column("n")], properties={"landing": landing})
    (product / "contract.odcs.yaml").write_text(text)
    definitions = _DEFINITIONS.format(domain=domain, number=number, first=textwrap.dedent(first))
    (root / "domains" / domain / "definitions.py").write_text(definitions.lstrip())


def land(home: Path, domain: str, name: str) -> None:
    """A new object of the domain's product, whole at once."""
    folder = home / "landing" / domain / "lines"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f".{name}").write_text("n\n1\n2\n")
    (folder / f".{name}").replace(folder / name)


def environment_with(folder: Path, polars: str) -> Path:
    """A virtual environment with this version of polars over what this process has; its interpreter."""
    uv = Path(sys.executable).with_name("uv")
    made = folder / f"polars-{polars}"
    python = made / "bin" / "python"
    packages = [f"polars=={polars}", f"polars-runtime-32=={polars}"]
    for command in (
        ["venv", "--quiet", "--python", sys.executable, made],
        ["pip", "install", "--quiet", "--python", python, "--no-deps", *packages],
    ):
        subprocess.run([uv, *command], check=True, timeout=300)
    ours = next(path for path in sys.path if path.endswith("site-packages"))
    [theirs] = (made / "lib").glob("python*/site-packages")
    (theirs / "_below.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    return python
