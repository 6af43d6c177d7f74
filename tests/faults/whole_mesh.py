"""The whole example mesh in production mode in this process, and everything that its readers see.

Belongs here: running all products in dependency order as `mesh run` does, the contents of every
version, what a clean-up leaves. Does not belong here: faults, what must hold (tests/guarantees).
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import boto3
import dagster as dg

from shared_resources.contracts.model import Contract
from shared_resources.data_products.definition import define_product
from shared_resources.evidence.kept import folder_of, newest_name, terms_name
from shared_resources.mesh import read_mesh
from shared_resources.running.execution import execute_product
from shared_resources.running.pending import UpToDate, tasks_of
from shared_resources.running.schedule import Schedule
from shared_resources.stores.cloud_warehouse.store import SnowflakeStore
from shared_resources.stores.lake.catalog.owner import OWNER
from shared_resources.stores.protocol import ProductStore, Version
from shared_resources.stores.reading.duck import in_memory
from shared_resources.wiring import ProductionEnvironment, current
from tests.faults.iceberg_files import named_by_iceberg

Content = tuple[int, str]


@dataclass(frozen=True)
class WholeMesh:
    """`environment` is where this process's variables lead."""

    environment: ProductionEnvironment

    @classmethod
    def here(cls) -> WholeMesh:
        environment = current()
        assert isinstance(environment, ProductionEnvironment)
        return cls(environment)

    @cached_property
    def contracts(self) -> Mapping[str, Contract]:
        mesh = read_mesh(self.environment.root)
        return {
            product.key: define_product(self.environment, domain, product).contract
            for domain in mesh.domains
            for product in domain.products
        }

    def run(self, leaving_out: Collection[str] = (), *, holding: bool = True) -> dict[str, str]:
        """What became of each product: `published`, `held`, or why it failed.

        Without `holding` a product is made whatever became of those that it reads: from what they
        have published before.
        """
        outcomes: dict[str, str] = {}
        locations = {
            domain: importlib.import_module(f"domains.{domain}.definitions").defs
            for domain in {key.split("/")[0] for key in self.contracts}
        }
        reads = _reads(locations)
        schedule = Schedule({key: reads[key] for key in reads if key not in leaving_out})
        with dg.DagsterInstance.ephemeral() as instance:
            while ready := schedule.ready():
                key = ready[0]
                schedule.start(key)
                problem = self._make(locations[key.split("/")[0]], instance, key)
                outcomes[key] = problem or "published"
                held = schedule.finish(key, not problem or not holding)
                outcomes |= dict.fromkeys(held, "held")
        return outcomes

    def _make(self, location: dg.Definitions, instance: dg.DagsterInstance, key: str) -> str:
        try:
            tasks = tasks_of(self.environment, key, None)
        except UpToDate:
            return ""
        except Exception as problem:  # noqa: BLE001 - the network fails while it looks what is new
            return str(problem) or type(problem).__name__
        ended = [execute_product(location, instance, task, "test") for task in tasks]
        return "\n".join(one.message or "failed" for one in ended if not one.succeeded)

    # -- what readers see ------------------------------------------------------------------------

    def seen(self) -> Iterator[tuple[str, ProductStore, Version, Content]]:
        """Every version that is readable anywhere, and its content."""
        for key, contract in self.contracts.items():
            for store in self.environment.stores_of(contract):
                for version in store.versions(key):
                    yield key, store, version, self.content(key, store, version.number)

    def content(self, key: str, store: ProductStore, number: int | None = None) -> Content:
        """The number of rows, and a checksum of them all whatever their order."""
        snapshot = store.open(key, number)
        with in_memory() as connection:
            snapshot.register(connection, "version")
            names = ", ".join(f'"{name}"' for name in snapshot.schema.names)
            found = connection.execute(
                f"SELECT count(*), CAST(sum(CAST(hash({names}) AS HUGEINT)) AS VARCHAR) FROM version"
            ).fetchone()
        assert found is not None
        return found[0], found[1]

    # -- what a clean-up leaves ------------------------------------------------------------------

    def clean_up(self) -> None:
        """The job for orphan files, told that nothing is too young."""
        for key, contract in self.contracts.items():
            for store in self.environment.stores_of(contract):
                store.remove_orphans(key, timedelta(0))

    def left_over(self) -> set[str]:
        """What no version names: objects, tables, unfinished uploads, staged files."""
        return {*self._left_on_s3(), *self._left_in_snowflake(), *self._left_on_disk()}

    def _left_on_s3(self) -> Iterator[str]:
        lake = self.environment.settings.lake
        client = boto3.client("s3")
        named = {lake.url(OWNER)}
        # A commit that failed may leave an envelope, until the version that took its number expires.
        of_numbers: set[str] = set()
        attestations = "_registry/attestations"
        for key, contract in self.contracts.items():
            for store in self.environment.stores_of(contract):
                folder = f"{attestations}/{folder_of(key, store.name)}"
                versions = store.versions(key)
                named.add(lake.url(f"{attestations}/{newest_name(key, store.name)}"))
                of_numbers |= {lake.url(f"{folder}/v{one.number:08d}-") for one in versions}
                evidence = [one.evidence for one in versions]
                digests = {one.contract_digest for one in evidence}
                named |= {lake.url(f"_registry/contracts/{digest}.yaml") for digest in digests}
                terms = {terms_name(one.terms) for one in evidence if one.terms}
                named |= {lake.url(f"{attestations}/{name}") for name in terms}
            if any(store.name == "lake" for store in self.environment.stores_of(contract)):
                named |= named_by_iceberg(self.environment.settings, key)
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=lake.bucket, Prefix=lake.prefix
        )
        for page in pages:
            yield from (
                found
                for entry in page.get("Contents", ())
                if (found := f"s3://{lake.bucket}/{entry['Key']}") not in named
                and found.rpartition("-")[0] + "-" not in of_numbers
                and not found.startswith(lake.url("_access_log/"))  # it stays
            )
        for upload in client.list_multipart_uploads(Bucket=lake.bucket).get("Uploads", ()):
            yield f"an unfinished upload of {upload['Key']}"

    def _left_in_snowflake(self) -> Iterator[str]:
        for key, contract in self.contracts.items():
            for store in self.environment.stores_of(contract):
                if isinstance(store, SnowflakeStore):
                    named = {version.snapshot for version in store.versions(key)}
                    yield from tables_of(store, key) - named

    def _left_on_disk(self) -> Iterator[str]:
        for folder in ("lake", "warehouse", "dbt"):
            for file in (self.environment.home / folder).rglob("*"):
                if file.is_file() and file.suffix in (".parquet", ".duckdb", ".csv"):
                    yield str(file)


def _reads(locations: Mapping[str, dg.Definitions]) -> dict[str, tuple[str, ...]]:
    reads = {}
    for location in locations.values():
        graph = location.resolve_asset_graph()
        for key in graph.materializable_asset_keys:
            parents = graph.get(key).parent_keys
            reads["/".join(key.path)] = tuple("/".join(parent.path) for parent in parents)
    return reads


def tables_of(store: SnowflakeStore, key: str) -> set[str]:
    """Every table of the product's versions in Snowflake, asked of Snowflake itself."""
    domain, _, name = key.partition("/")
    found = store.session.query(f'SHOW TERSE TABLES IN SCHEMA "{domain}__versions"')
    column = [one.lower() for one in found.columns].index("name")
    return {str(row[column]) for row in found.rows if str(row[column]).startswith(f"{name}__")}
