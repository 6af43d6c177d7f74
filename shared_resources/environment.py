"""The ports: what the rooms above ask of the environment that they are given.

Belongs here: where state is, and the name of each port: stores, landing zone, quarantine, state …
Does not belong here: which implementation stands behind a port, and what chooses it (`wiring/`).
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.problems import MeshProblem

if TYPE_CHECKING:
    from shared_resources.access.shared_log import SharedLog
    from shared_resources.arrivals.events import LandingQueue
    from shared_resources.contracts.model import Contract, Server
    from shared_resources.data_products.dbt.target import DbtTarget
    from shared_resources.engines.engine import AccessEngine
    from shared_resources.governance.quarantine.quarantine import Quarantine
    from shared_resources.landing.zones.zone import LandingZone
    from shared_resources.registry.contracts import PublishedContracts
    from shared_resources.registry.registry import Registry
    from shared_resources.serving_ports.port import ServingPort
    from shared_resources.state.database import StateDatabase
    from shared_resources.stores.attested.attestor import Attestor
    from shared_resources.stores.pins import Pins
    from shared_resources.stores.protocol import ProductStore
    from shared_resources.streams.log.port import Log

# What the platform's code lies in: its checkout, or where it is installed (`wiring/root.py`).
PROJECT_ROOT = Path(__file__).resolve().parents[1]
# The list of the code locations; with `domains/` what a project is known by.
WORKSPACE_FILE = "workspace.yaml"


class EnvironmentProblem(MeshProblem):
    """The environment is set up wrongly; the message names the variable and what to do."""

    exit_code = 2


@dataclass(frozen=True)
class Environment(ABC):
    """`root` is the project. `home` is where this machine keeps its part of the mesh's state."""

    root: Path
    home: Path

    def __reduce__(self) -> tuple[object, ...]:
        """Sent to another process, which opens by itself what this one has opened."""
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    @property
    def domains(self) -> Path:
        return self.root / "domains"

    @property
    def dagster(self) -> Path:
        """Dagster's instance: `DAGSTER_HOME` where it is set."""
        return Path(os.environ.get("DAGSTER_HOME") or self.home / "dagster").resolve()

    @property
    def dbt(self) -> Path:
        return self.home / "dbt"

    @property
    def compiled(self) -> Path:
        """Contracts as they were compiled before (`mesh/kept_contracts.py`)."""
        return self.home / "compiled"

    @property
    def scratch(self) -> Path:
        """Where what is needed for a moment lies: spilled memory, what a rule may write."""
        return self.home / "scratch"

    @property
    def home_of_readers(self) -> Path:
        """The home whose masking key and access log count: of the mesh whose data are read."""
        return self.home

    @property
    def shared_access_log(self) -> SharedLog | None:
        """Where every machine's access log is gathered; None where one machine is all there is."""
        return None

    @property
    def is_production(self) -> bool:
        return False

    @property
    def holds_anything(self) -> bool:
        """Whether anything can have been published: without any state there is nothing to open."""
        return self.home.is_dir()

    @property
    def database_url(self) -> str | None:
        """The Postgres that Dagster and the mesh keep their state in; None: SQLite below `home`."""
        return None

    @property
    @abstractmethod
    def stores(self) -> Mapping[Server, ProductStore]:
        """Every store, the lake first: the order in which a product of both is published."""

    @property
    @abstractmethod
    def landing_zone(self) -> LandingZone: ...

    @property
    def sensed_zone(self) -> LandingZone:
        """The landing zone for sensors, which wait for no request as long as a run may."""
        return self.landing_zone

    def landing_queue(self, contract: Contract) -> LandingQueue | None:
        """Where the events of the product's new objects arrive; None: its prefix is listed."""
        return None

    @property
    @abstractmethod
    def log(self) -> Log:
        """The topics of messages that streams read and write.

        Raises `EnvironmentProblem` where none is set up."""

    @property
    def group_of_readers(self) -> str:
        """What the names of those begin with who share topics here: a branch reads them beside others."""
        return "mesh"

    @property
    @abstractmethod
    def quarantine(self) -> Quarantine: ...

    @property
    @abstractmethod
    def state(self) -> StateDatabase: ...

    @property
    def state_file(self) -> Path | None:
        """The file of SQLite that `state` is, for those who only look; None: it is no such file."""
        return None

    @property
    @abstractmethod
    def pins(self) -> Pins: ...

    @property
    @abstractmethod
    def registry(self) -> Registry:
        """What the domains that are deployed have promised."""

    @property
    @abstractmethod
    def published_contracts(self) -> PublishedContracts:
        """The contracts under which something was published, by their digest."""

    @property
    @abstractmethod
    def attestor(self) -> Attestor:
        """What vouches for each version that a store commits."""

    @property
    @abstractmethod
    def dbt_target(self) -> DbtTarget:
        """Where dbt models are built."""

    @property
    def engines(self) -> Mapping[str, AccessEngine]:
        """The engines that keep grants of their own, by name; none for a branch, whose readers are
        those of the platform."""
        return {}

    @property
    def serving_port(self) -> ServingPort | None:
        """Where products are served by their keys; None where they are not: a branch serves nobody."""
        return None

    def stores_of(self, contract: Contract) -> tuple[ProductStore, ...]:
        """The stores that the contract's `servers` name, the lake first."""
        return tuple(store for server, store in self.stores.items() if server in contract.servers)
