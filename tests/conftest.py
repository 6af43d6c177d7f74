"""Fixtures that every test folder may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import settings

from shared_resources.state.database import StateDatabase
from shared_resources.wiring import ProductionEnvironment, current
from tests.stand_ins import StandIns, running_stand_ins
from tests.stand_ins.kafka import Broker, shared_kafka
from tests.stand_ins.postgres import Postgres, running_postgres
from tests.stand_ins.servers import environment
from tests.tiny_mesh import TinyMesh, tiny_mesh

# Random examples are the same in each run, so that chance decides on no change's landing.
# `pytest --hypothesis-profile exploring -m slow tests/arrivals` looks for new ones.
settings.register_profile("repeating", derandomize=True)
settings.register_profile("exploring", derandomize=False)
settings.load_profile("repeating")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("begins_early") is None)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Print a failure when it happens: a suite that is stopped before its end has told why."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        when = datetime.now().strftime("%H:%M:%S")
        said = "\n".join(report.longreprtext.splitlines()[-60:])
        print(f"\n{when} {report.nodeid} failed at {report.when}:\n{said}", flush=True)


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[TinyMesh]:
    """An empty mesh in a temporary folder, with stores, landing zone and Dagster instance."""
    with tiny_mesh(tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def stand_ins() -> Iterator[StandIns]:
    """AWS's and Snowflake's stand-ins, one pair for each test process."""
    with running_stand_ins() as servers:
        yield servers


@pytest.fixture
def production(stand_ins: StandIns, tmp_path: Path) -> Iterator[ProductionEnvironment]:
    """An empty production environment of its own, which is also this process's."""
    with environment({**stand_ins.fresh(), "MESH_HOME": str(tmp_path / "home")}):
        made = current()
        assert isinstance(made, ProductionEnvironment)
        yield made


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A Postgres server of this test process; `.fresh()` is the URL of an empty database."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """The one Kafka of this run of the tests, whichever of its processes ask."""
    with shared_kafka(
        os.environ.get("PYTEST_XDIST_TESTRUNUID", f"process-{os.getpid()}")
    ) as broker:
        yield broker


@pytest.fixture(params=["sqlite", "postgres"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> StateDatabase:
    """The mesh's own small state, empty, in each of the databases that may hold it."""
    if request.param == "sqlite":
        return StateDatabase(f"sqlite:///{tmp_path / 'state.db'}", tmp_path / "locks")
    postgres: Postgres = request.getfixturevalue("postgres")
    return StateDatabase(postgres.fresh(), tmp_path / "locks")


@pytest.fixture
def production_mesh(stand_ins: StandIns, tmp_path: Path) -> Iterator[TinyMesh]:
    """The same as `mesh`, with its stores, landing zone and quarantine on S3 and Snowflake."""
    with environment(stand_ins.fresh()), tiny_mesh(tmp_path) as made:
        yield made
