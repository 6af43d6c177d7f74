"""The embedded environment: everything is a file below `home`.

Belongs here: which implementation stands behind each port when nothing is installed or started.
Does not belong here: how they work, and when this environment is the one (`choice.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.confinement.guard import platform_variables, refuse
from shared_resources.contracts.model import Server
from shared_resources.environment import Environment, EnvironmentProblem

if TYPE_CHECKING:
    from shared_resources.data_products.dbt.target import DbtTarget
    from shared_resources.engines.engine import AccessEngine
    from shared_resources.governance.quarantine.quarantine import Quarantine
    from shared_resources.landing.zones.zone import LandingZone
    from shared_resources.registry.contracts import PublishedContracts
    from shared_resources.registry.registry import Registry
    from shared_resources.serving_ports.port import ServingPort
    from shared_resources.state.database import StateDatabase
    from shared_resources.stores.attested.attestor import Attestor
    from shared_resources.stores.branched.store import BranchStore
    from shared_resources.stores.pins import Pins
    from shared_resources.stores.protocol import ProductStore
    from shared_resources.streams.log.port import Log

# Below the home: `serving/` is of the code servers.
PORTS = "ports"
LOG = "log"


@dataclass(frozen=True)
class LocalEnvironment(Environment):
    """Local files, SQLite and DuckDB. What it is made of is imported when it is asked for."""

    def __post_init__(self) -> None:
        refuse("opens the platform's environment")

    @cached_property
    def stores(self) -> Mapping[Server, ProductStore]:
        from shared_resources.stores.embedded_warehouse.store import WarehouseStore
        from shared_resources.stores.lake.store import LakeStore

        return {
            Server.LAKE: LakeStore(self.home / "lake", attestor=self.attestor),
            Server.WAREHOUSE: WarehouseStore(self.home / "warehouse", self.attestor),
        }

    def branched_stores(self, branch: str) -> Mapping[Server, BranchStore]:
        """The stores of a branch over these; with what they share, `BranchStore.sharing`."""
        from shared_resources.stores.branched.store import BranchStore
        from shared_resources.stores.embedded_warehouse.sharing import WarehouseSharing
        from shared_resources.stores.embedded_warehouse.store import WarehouseStore

        warehouse = self.stores[Server.WAREHOUSE]
        assert isinstance(warehouse, WarehouseStore)
        return {
            Server.LAKE: self._branched_lake(branch),
            Server.WAREHOUSE: BranchStore(warehouse, WarehouseSharing(warehouse), branch),
        }

    def _branched_lake(self, branch: str) -> BranchStore:
        from shared_resources.stores.branched.store import BranchStore
        from shared_resources.stores.lake.sharing import LakeSharing
        from shared_resources.stores.lake.store import LakeStore

        lake = self.stores[Server.LAKE]
        assert isinstance(lake, LakeStore)
        return BranchStore(lake, LakeSharing(lake), branch)

    @cached_property
    def landing_zone(self) -> LandingZone:
        from shared_resources.landing.zones.folder import FolderLandingZone

        return FolderLandingZone(self.home / "landing")

    @cached_property
    def log(self) -> Log:
        """The mesh's own, unless `MESH_LOG` says otherwise: variables of Kafka alone, which a developer
        may have for other programs, lead no local mesh to a company's brokers."""
        from shared_resources.production.aws_settings import region_of
        from shared_resources.production.kafka.settings import read_log

        variables = platform_variables()
        problems: list[str] = []
        kafka = read_log(variables, region_of(variables), problems, is_production=False)
        if problems:
            raise EnvironmentProblem("No stream can be read: " + "; ".join(problems))
        if kafka is not None:
            from shared_resources.streams.log.kafka.log import KafkaLog

            return KafkaLog(kafka)
        from shared_resources.streams.log.embedded.log import EmbeddedLog

        return EmbeddedLog(self.home / LOG)

    @cached_property
    def quarantine(self) -> Quarantine:
        from shared_resources.governance.quarantine.folder import QuarantineFolder
        from shared_resources.governance.quarantine.quarantine import Quarantine

        return Quarantine(QuarantineFolder(self.home / "quarantine"))

    @property
    def state_file(self) -> Path | None:
        return self.home / "state.db"

    @cached_property
    def state(self) -> StateDatabase:
        from shared_resources.state.database import StateDatabase

        return StateDatabase(f"sqlite:///{self.state_file}", self.home / "locks")

    @cached_property
    def pins(self) -> Pins:
        from shared_resources.stores.pins import Pins

        return Pins(self.state)

    @cached_property
    def registry(self) -> Registry:
        from shared_resources.registry.folder import FolderRegistry

        return FolderRegistry(self.home / "registry")

    @cached_property
    def published_contracts(self) -> PublishedContracts:
        from shared_resources.registry.contracts import ContractFolder

        return ContractFolder(self.home / "registry" / "contracts")

    @cached_property
    def attestor(self) -> Attestor:
        from shared_resources.registry.attestations import AttestationFolder
        from shared_resources.stores.attested.attestor import Attestor
        from shared_resources.wiring.signing import signer

        return Attestor(AttestationFolder(self.home / "attestations"), signer)

    @cached_property
    def engines(self) -> Mapping[str, AccessEngine]:
        from shared_resources.engines.embedded_views.views import EmbeddedViews

        return {EmbeddedViews.name: EmbeddedViews(self)}

    @cached_property
    def serving_port(self) -> ServingPort | None:
        from shared_resources.serving_ports.cassandra.settings import (
            EMBEDDED,
            VARIABLE,
            read_settings,
        )
        from shared_resources.serving_ports.sqlite_port import SqlitePort

        variables = platform_variables()
        if (settings := read_settings(variables)) is not None:
            from shared_resources.serving_ports.cassandra.port import CassandraPort
            from shared_resources.serving_ports.cassandra.session import CassandraSession

            return CassandraPort(CassandraSession(settings))
        # Files of one machine are no place for a mesh of many: somebody has to say that it is one.
        alone = not self.is_production or variables.get(VARIABLE) == EMBEDDED
        return SqlitePort(self.home / PORTS) if alone else None

    @cached_property
    def dbt_target(self) -> DbtTarget:
        """The same for every warehouse of files: no store is imported to load a location."""
        from shared_resources.data_products.dbt.on_duckdb import DuckDBTarget

        return DuckDBTarget()

    def dbt_target_over(self, warehouse: ProductStore) -> DbtTarget:
        """Models are built where that warehouse is; in a branch it is the branch's."""
        return self.dbt_target
