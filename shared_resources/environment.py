"""Which environment this process runs in, and where its state is.

Belongs here: the only place that reads `MESH_ENV` and `MESH_HOME` and that chooses the stores.
Does not belong here: how a store works (`io_managers/`), or anything done on import.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.confinement.guard import platform_variables, refuse
from shared_resources.contracts.model import Contract, Server

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from shared_resources.arrivals.events import LandingQueue
    from shared_resources.data_products.makers.dbt.target import DbtTarget
    from shared_resources.governance.quarantine.quarantine import Quarantine
    from shared_resources.landing.zones.zone import LandingZone
    from shared_resources.object_store.local_copies import LocalCopies
    from shared_resources.production.settings import ProductionSettings
    from shared_resources.state.database import StateDatabase
    from shared_resources.stores.pins import Pins
    from shared_resources.stores.protocol import ProductStore, Snapshot

PROJECT_ROOT = Path(__file__).resolve().parents[1]


class EnvironmentProblem(Exception):
    """The environment is set up wrongly; the message names the variable and what to do."""


@dataclass(frozen=True)
class Environment:
    """The embedded environment: everything is a file below `home`. `root` is the project."""

    root: Path
    home: Path

    def __post_init__(self) -> None:
        refuse("opens the platform's environment")

    @property
    def domains(self) -> Path:
        return self.root / "domains"

    @property
    def dagster(self) -> Path:
        """Dagster's instance: `DAGSTER_HOME` where it is set."""
        return Path(os.environ.get("DAGSTER_HOME") or self.home / "dagster").resolve()

    @property
    def holds_anything(self) -> bool:
        """Whether anything can have been published: without any state there is nothing to open."""
        return self.home.is_dir()

    @property
    def database_url(self) -> str | None:
        """The Postgres that Dagster and the mesh keep their state in; None: SQLite below `home`."""
        return None

    @property
    def dbt(self) -> Path:
        return self.home / "dbt"

    @cached_property
    def stores(self) -> Mapping[Server, ProductStore]:
        """Every store, the lake first: the order in which a product of both is published."""
        from shared_resources.stores.embedded_warehouse.store import WarehouseStore
        from shared_resources.stores.lake.store import LakeStore

        return {
            Server.LAKE: LakeStore(self.home / "lake"),
            Server.WAREHOUSE: WarehouseStore(self.home / "warehouse"),
        }

    @cached_property
    def landing_zone(self) -> LandingZone:
        from shared_resources.landing.zones.folder import FolderLandingZone

        return FolderLandingZone(self.home / "landing")

    @property
    def sensed_zone(self) -> LandingZone:
        """The landing zone for sensors, which wait for no request as long as a run may."""
        return self.landing_zone

    def landing_queue(self, contract: Contract) -> LandingQueue | None:
        """Where the events of the product's new objects arrive; None: its prefix is listed."""
        return None

    @cached_property
    def quarantine(self) -> Quarantine:
        from shared_resources.governance.quarantine.folder import QuarantineFolder
        from shared_resources.governance.quarantine.quarantine import Quarantine

        return Quarantine(QuarantineFolder(self.home / "quarantine"))

    @cached_property
    def state(self) -> StateDatabase:
        from shared_resources.state.database import StateDatabase

        return StateDatabase(f"sqlite:///{self.home / 'state.db'}", self.home / "locks")

    @cached_property
    def pins(self) -> Pins:
        from shared_resources.stores.pins import Pins

        return Pins(self.state)

    @cached_property
    def dbt_target(self) -> DbtTarget:
        """Where dbt models are built."""
        from shared_resources.data_products.makers.dbt.on_duckdb import DuckDBTarget

        return DuckDBTarget()

    def stores_of(self, contract: Contract) -> tuple[ProductStore, ...]:
        """The stores that the contract's `servers` name, the lake first."""
        return tuple(store for server, store in self.stores.items() if server in contract.servers)

    def open_product(self, product: str, number: int | None = None) -> Snapshot:
        """A published version, from the first store that has the product.

        Raises `NotPublished` when no store has it.
        """
        from shared_resources.stores.protocol import NotPublished, Unreadable

        if len(product.split("/")) != 2 or not all(product.split("/")):
            raise NotPublished(f"{product!r} is no product key; write it as domain/product")
        trouble: Unreadable | None = None
        for store in self.stores.values():
            try:
                if store.versions(product):
                    return store.open(product, number)
            except Unreadable as problem:
                trouble = trouble or problem
        if trouble is not None:
            raise trouble
        raise NotPublished(
            f"{product} is not published yet; run `mesh run {product}`, or check its name"
        )


@dataclass(frozen=True)
class ProductionEnvironment(Environment):
    """S3, Glue and Snowflake. `home` holds what one machine may lose: staged batches, copies."""

    settings: ProductionSettings

    @property
    def holds_anything(self) -> bool:
        return True

    @property
    def database_url(self) -> str | None:
        return self.settings.database_url

    @cached_property
    def copies(self) -> LocalCopies:
        """Files and tables of the stores that were read on this machine."""
        from shared_resources.object_store.local_copies import LocalCopies

        return LocalCopies(self.home / "copies")

    @cached_property
    def stores(self) -> Mapping[Server, ProductStore]:
        from shared_resources.stores.cloud_warehouse.store import SnowflakeStore
        from shared_resources.stores.lake.files.s3 import s3_lake

        connect, staging = self.settings.snowflake_connection, self.home / "warehouse"
        return {
            Server.LAKE: s3_lake(self.settings, self.home, self.copies),
            Server.WAREHOUSE: SnowflakeStore(connect, staging, self.copies),
        }

    @cached_property
    def quarantine(self) -> Quarantine:
        from shared_resources.governance.quarantine.quarantine import Quarantine
        from shared_resources.governance.quarantine.s3 import QuarantineOnS3
        from shared_resources.object_store.s3_objects import S3Objects

        place = self.settings.quarantine.url()
        return Quarantine(QuarantineOnS3(place, S3Objects(self.settings), self.copies))

    @cached_property
    def dbt_target(self) -> DbtTarget:
        from shared_resources.data_products.makers.dbt.on_snowflake.target import SnowflakeTarget
        from shared_resources.stores.cloud_warehouse.store import SnowflakeStore

        warehouse = self.stores[Server.WAREHOUSE]
        assert isinstance(warehouse, SnowflakeStore)
        return SnowflakeTarget(self.settings.snowflake, warehouse)

    @cached_property
    def state(self) -> StateDatabase:
        """SQLite unless there is a Postgres: enough for one machine, and for no more."""
        from shared_resources.state.database import StateDatabase

        if self.database_url is None:
            return super().state
        return StateDatabase(self.database_url, self.home / "locks")

    @cached_property
    def landing_zone(self) -> LandingZone:
        from shared_resources.landing.zones.s3 import S3LandingZone

        return S3LandingZone(self.settings.s3, self.settings.landing, self.settings.encryption())

    @cached_property
    def sensed_zone(self) -> LandingZone:
        from shared_resources.landing.zones.s3 import S3LandingZone
        from shared_resources.production.settings import TICK

        return S3LandingZone(lambda: self.settings.s3(TICK), self.settings.landing)

    def landing_queue(self, contract: Contract) -> LandingQueue | None:
        from shared_resources.arrivals.events import LandingQueue

        template = self.settings.landing_queue
        if template is None:
            return None
        return LandingQueue(lambda: self._sqs, self.settings.landing, template, contract)

    @cached_property
    def _sqs(self) -> SQSClient:
        return self.settings.sqs()


def current() -> Environment:
    """The environment of this process. `MESH_ROOT` and `MESH_HOME` move the project and its state.

    Raises `EnvironmentProblem` for a `MESH_ENV` that there is not, or settings that lack something.
    """
    variables = platform_variables()
    root = Path(variables.get("MESH_ROOT") or PROJECT_ROOT).resolve()
    home = Path(variables.get("MESH_HOME") or root / ".mesh").resolve()
    match variables.get("MESH_ENV") or "local":
        case "local":
            return Environment(root=root, home=home)
        case "production":
            from shared_resources.production.settings import ProductionSettings

            return ProductionEnvironment(root, home, ProductionSettings.read(variables))
        case name:
            raise EnvironmentProblem(
                f"MESH_ENV={name!r} is no environment; set it to 'local' (or unset it) or to "
                "'production'."
            )
