"""The production environment: S3, Glue and Snowflake, Postgres where there is one.

Belongs here: which implementation stands behind each port, and what they share.
Does not belong here: how they work, the settings (`production/`), and when this environment is the
one (`choice.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.contracts.model import Contract, Server
from shared_resources.environment import EnvironmentProblem
from shared_resources.wiring.local import LOG, LocalEnvironment

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from shared_resources.access.shared_log import SharedLog
    from shared_resources.arrivals.events import LandingQueue
    from shared_resources.data_products.dbt.target import DbtTarget
    from shared_resources.engines.engine import AccessEngine
    from shared_resources.governance.quarantine.quarantine import Quarantine
    from shared_resources.landing.zones.zone import LandingZone
    from shared_resources.object_store.local_copies import LocalCopies
    from shared_resources.production.settings import ProductionSettings
    from shared_resources.registry.contracts import PublishedContracts
    from shared_resources.registry.registry import Registry
    from shared_resources.state.database import StateDatabase
    from shared_resources.stores.attested.attestor import Attestor
    from shared_resources.stores.branched.store import BranchStore
    from shared_resources.stores.protocol import ProductStore
    from shared_resources.streams.log.port import Log


@dataclass(frozen=True)
class ProductionEnvironment(LocalEnvironment):
    """S3, Glue and Snowflake. `home` holds what one machine may lose: staged batches, copies."""

    settings: ProductionSettings

    @property
    def is_production(self) -> bool:
        return True

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
        from shared_resources.stores.lake.on_s3 import s3_lake

        connect, staging = self.settings.snowflake_connection, self.home / "warehouse"
        return {
            Server.LAKE: s3_lake(self.settings, self.home, self.copies, self.attestor),
            Server.WAREHOUSE: SnowflakeStore(connect, staging, self.copies, self.attestor),
        }

    @cached_property
    def engines(self) -> Mapping[str, AccessEngine]:
        from shared_resources.engines.cloud_warehouse.engine import SnowflakeEngine
        from shared_resources.mesh.read import read_central
        from shared_resources.stores.cloud_warehouse.session import SnowflakeSession

        session = SnowflakeSession(self.settings.snowflake_connection)
        engines: dict[str, AccessEngine] = {SnowflakeEngine.name: SnowflakeEngine(session)}
        if read_central(self).aws_principals is not None:  # else the lake is read without it
            from shared_resources.engines.lake_grants.client import LakeFormation
            from shared_resources.engines.lake_grants.grants import LakeGrants

            engines[LakeGrants.name] = LakeGrants(self, LakeFormation(self.settings))
        return engines

    @cached_property
    def log(self) -> Log:
        if self.settings.kafka is not None:
            from shared_resources.streams.log.kafka.log import KafkaLog

            return KafkaLog(self.settings.kafka)
        if self.settings.embedded_log:
            from shared_resources.streams.log.embedded.log import EmbeddedLog

            return EmbeddedLog(self.home / LOG)
        raise EnvironmentProblem(
            "No stream can be read: KAFKA_BOOTSTRAP_SERVERS is not set; set it to the brokers, as "
            "host:port,host:port, or MESH_LOG=embedded on a machine that is alone (docs/production.md)."
        )

    @cached_property
    def quarantine(self) -> Quarantine:
        from shared_resources.governance.quarantine.quarantine import Quarantine
        from shared_resources.governance.quarantine.s3 import QuarantineOnS3
        from shared_resources.object_store.s3_objects import S3Objects

        place = self.settings.quarantine.url()
        return Quarantine(QuarantineOnS3(place, S3Objects(self.settings), self.copies))

    def branched_stores(self, branch: str) -> Mapping[Server, BranchStore]:
        from shared_resources.stores.branched.in_snowflake import SnowflakeBranchStore
        from shared_resources.stores.cloud_warehouse.sharing import SnowflakeSharing
        from shared_resources.stores.cloud_warehouse.store import SnowflakeStore

        warehouse = self.stores[Server.WAREHOUSE]
        assert isinstance(warehouse, SnowflakeStore)
        sharing = SnowflakeSharing(warehouse)
        return {
            Server.LAKE: self._branched_lake(branch),
            Server.WAREHOUSE: SnowflakeBranchStore(warehouse, sharing, branch),
        }

    @cached_property
    def dbt_target(self) -> DbtTarget:
        return self.dbt_target_over(self.stores[Server.WAREHOUSE])

    def dbt_target_over(self, warehouse: ProductStore) -> DbtTarget:
        from shared_resources.data_products.dbt.on_snowflake.target import SnowflakeTarget
        from shared_resources.stores.branched.in_snowflake import SnowflakeBranchStore
        from shared_resources.stores.cloud_warehouse.store import SnowflakeStore

        assert isinstance(warehouse, SnowflakeStore | SnowflakeBranchStore)
        return SnowflakeTarget(self.settings.snowflake, warehouse)

    @property
    def state_file(self) -> Path | None:
        return super().state_file if self.database_url is None else None

    @cached_property
    def state(self) -> StateDatabase:
        """SQLite unless there is a Postgres: enough for one machine, and for no more."""
        from shared_resources.state.database import StateDatabase

        if self.database_url is None:
            return super().state
        return StateDatabase(self.database_url, self.home / "locks")

    @cached_property
    def registry(self) -> Registry:
        """In the lake's place, where no domain can be called so: all who read the one read the other."""
        from shared_resources.object_store.s3_objects import S3Objects
        from shared_resources.registry.shared import SharedRegistry

        place, local = self.settings.lake.url("_registry"), self.home / "registry" / "promises"
        return SharedRegistry(self.state, S3Objects(self.settings), place, local)

    @cached_property
    def published_contracts(self) -> PublishedContracts:
        from shared_resources.object_store.s3_objects import S3Objects
        from shared_resources.registry.contracts import ContractObjects

        place = self.settings.lake.url("_registry/contracts")
        return ContractObjects(S3Objects(self.settings), place)

    @cached_property
    def attestor(self) -> Attestor:
        from shared_resources.object_store.s3_objects import S3Objects
        from shared_resources.registry.attestations import AttestationObjects
        from shared_resources.stores.attested.attestor import Attestor
        from shared_resources.wiring.signing import signer

        place = self.settings.lake.url("_registry/attestations")
        return Attestor(AttestationObjects(S3Objects(self.settings), place), signer)

    @cached_property
    def shared_access_log(self) -> SharedLog:
        from shared_resources.access.shared_log import SharedLog
        from shared_resources.object_store.s3_objects import S3Objects

        return SharedLog(S3Objects(self.settings), self.settings.lake.url("_access_log"))

    @cached_property
    def landing_zone(self) -> LandingZone:
        from shared_resources.landing.zones.s3 import S3LandingZone

        return S3LandingZone(self.settings.s3, self.settings.landing, self.settings.encryption())

    @cached_property
    def sensed_zone(self) -> LandingZone:
        from shared_resources.landing.zones.s3 import S3LandingZone
        from shared_resources.production.patience import TICK

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
