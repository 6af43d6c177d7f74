"""The lake's catalog in AWS Glue, where Athena, Spark, Trino and Snowflake find the same tables.

Belongs here: Glue's names, its limits, and what its answers mean for a commit.
Does not belong here: what a commit contains (`stores/lake/committing/`),
where files are (`stores/lake/files/s3.py`).

A commit is one UpdateTable that names the version it was made on; Glue refuses it when the table
has moved on. botocore may send it twice when an answer is lost, and the second is then refused for
the first: so a refusal is no proof, and only the table itself says what was committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from pyiceberg.catalog.glue import GlueCatalog, _construct_table_input
from pyiceberg.exceptions import (
    NamespaceAlreadyExistsError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.io import FileIO
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import CommitTableResponse, CreateTableTransaction, Table
from pyiceberg.table.update import TableRequirement, TableUpdate

from shared_resources.state.per_process import OncePerProcess
from shared_resources.stores.lake.catalog.commit_marks import METADATA, mark_committed
from shared_resources.stores.lake.catalog.owner import Owner, claim, is_owner
from shared_resources.stores.lake.catalog.sqlite_tables import table_at
from shared_resources.stores.lake.catalog.table_catalog import load_patiently
from shared_resources.stores.protocol import PublishError
from shared_resources.stores.staging.staging_area import product_folder

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import TableInputTypeDef

    from shared_resources.object_store.iceberg_file_io import S3FileIO
    from shared_resources.object_store.s3_objects import S3Objects
    from shared_resources.production.settings import ProductionSettings
    from shared_resources.stores.lake.table_facts import AnyTable

COMMENT_CHARACTERS = 255
DESCRIPTION_CHARACTERS = 2048


class GlueTables:
    """Implements `catalog.TableCatalog`: database `<MESH_GLUE_PREFIX><domain>`, a table each."""

    def __init__(self, settings: ProductionSettings, objects: S3Objects, io: S3FileIO) -> None:
        self._settings = settings
        self._objects = objects
        self._io = io
        self._owned = False
        self.catalog: OncePerProcess[_Glue] = OncePerProcess(self._open)

    @property
    def name(self) -> str:
        return f"Glue ({self._settings.glue_prefix}*)"

    def _open(self) -> _Glue:
        return _Glue(self._settings.glue(), self._io, self._claim)

    def load(self, product: str) -> Table | None:
        table = load_patiently(
            product, lambda: self.catalog().load_table(self._identifier(product))
        )
        if table is not None and not self._is_ours(table.location()):
            raise PublishError(
                f"Glue's table {'.'.join(self._identifier(product))} lies at {table.location()}, "
                f"which is not below MESH_LAKE={self._settings.lake.url()}: it is another lake's. "
                "Set MESH_GLUE_PREFIX to a prefix that nobody else uses."
            )
        return table

    def described(self, product: str) -> AnyTable | None:
        return self.load(product)

    def products(self) -> list[str]:
        prefix = self._settings.glue_prefix
        return sorted(
            f"{database.removeprefix(prefix)}/{table['Name']}"
            for database in self._databases()
            if database.startswith(prefix)
            for table in self._tables(database)
            if self._is_ours(table.get("StorageDescriptor", {}).get("Location", ""))
        )

    def begin_table(
        self,
        product: str,
        schema: Schema,
        location: str,
        partition_spec: PartitionSpec,
        properties: Mapping[str, str],
    ) -> CreateTableTransaction:
        catalog, identifier = self.catalog(), self._identifier(product)
        if "".join(identifier) != "".join(identifier).lower():
            raise PublishError(
                f"Glue knows no capital letters, and would take {'.'.join(identifier)} for another "
                "name; write the names of the domain and the product in small letters"
            )
        self._make_database(product, location)
        return catalog.create_table_transaction(
            identifier,
            schema=schema,
            location=location,
            partition_spec=partition_spec,
            properties=dict(properties),
        )

    def at(self, product: str, metadata: str) -> Table:
        return table_at(self._identifier(product), metadata, self._io, self.catalog())

    def point(self, product: str, metadata: str) -> None:
        self._make_database(product, self.at(product, metadata).location())
        self.catalog().point(self._identifier(product), metadata)

    def begin(self, product: str, metadata: str) -> bool:
        """In one request, of which Glue refuses the second."""
        self._make_database(product, self.at(product, metadata).location())
        try:
            self.catalog().register_table(self._identifier(product), metadata)
        except TableAlreadyExistsError:
            return False
        return True

    def drop(self, product: str) -> None:
        database, name = self._identifier(product)
        glue = self.catalog().glue
        with suppress(glue.exceptions.EntityNotFoundException):
            glue.delete_table(DatabaseName=database, Name=name)
        if not any(self._tables(database)):
            with suppress(glue.exceptions.EntityNotFoundException):
                glue.delete_database(Name=database)

    def _make_database(self, product: str, location: str) -> None:
        catalog, identifier = self.catalog(), self._identifier(product)
        self.claim(product)  # before there is a database: who is refused leaves none behind
        if not catalog.namespace_exists(identifier[:1]):
            with suppress(NamespaceAlreadyExistsError):  # another was first
                catalog.create_namespace(identifier[:1], {"location": location.rpartition("/")[0]})
        self.claim(product)  # of an account whose first database this was

    def owns_files(self, product: str) -> bool:
        """Nobody's lake is not ours: whoever publishes there claims it."""
        if not self._owned:
            owner = self._owner(self._identifier(product)[0])
            marked = is_owner(self._objects, self._settings.lake.url(), owner)
            self._owned = marked and owner.catalog is not None
        return self._owned

    def claim(self, product: str) -> None:
        """Make the lake this catalog's before something is written there; once a process.

        Raises `PublishError` when it is another's, or looks so.
        """
        self._claim(self._identifier(product)[0])

    def _claim(self, database: str) -> None:
        if self._owned:
            return
        lake, owner = self._settings.lake.url(), self._owner(database)
        if not is_owner(self._objects, lake, owner):
            self._check_unmarked(lake)
            if owner.catalog is None:
                return
            claim(self._objects, lake, owner)
        self._owned = owner.catalog is not None

    def _owner(self, database: str) -> Owner:
        """Glue tells the account with every database, and with nothing else that we may ask for."""
        glue = self.catalog().glue
        try:
            found = [glue.get_database(Name=database)["Database"]]
        except glue.exceptions.EntityNotFoundException:
            found = glue.get_databases(MaxResults=1)["DatabaseList"]
        account = found[0]["CatalogId"] if found else None
        return Owner(account, self._settings.region, self._settings.glue_prefix)

    def _check_unmarked(self, lake: str) -> None:
        """Tables in a lake without an owner are of before there were owners: but whose?"""
        listing = self._objects.listing(f"{lake}/")
        first = next((one.location for one in listing if one.location.endswith(METADATA)), None)
        if first is not None and not self.products():
            raise PublishError(
                f"MESH_LAKE={lake} holds tables ({first}), and none of them is in the Glue databases "
                f"{self._settings.glue_prefix}*. Look whether MESH_GLUE_PREFIX and MESH_LAKE are what "
                "they should be. If they are, give this mesh a MESH_LAKE of its own; or, if those tables "
                "are gone, delete what they left there."
            )

    def outcome_is_unknown(self, problem: Exception) -> bool:
        return isinstance(problem, BotoCoreError | ClientError)

    def _identifier(self, product: str) -> tuple[str, str]:
        domain, name = product_folder(Path(), product).parts  # refuses what is no product key
        return f"{self._settings.glue_prefix}{domain}", name

    def _is_ours(self, location: str) -> bool:
        return location.startswith(f"{self._settings.lake.url()}/")

    def _databases(self) -> Iterator[str]:
        pages = self.catalog().glue.get_paginator("get_databases").paginate()
        return (database["Name"] for page in pages for database in page["DatabaseList"])

    def _tables(self, database: str) -> Iterator[Any]:
        pages = self.catalog().glue.get_paginator("get_tables").paginate(DatabaseName=database)
        with suppress(self.catalog().glue.exceptions.EntityNotFoundException):  # dropped meanwhile
            for page in pages:
                yield from (table for table in page["TableList"] if _is_iceberg(table))


class _Glue(GlueCatalog):
    """pyiceberg's catalog with our `FileIO`, and within Glue's limits.

    `claim` is called with the database before a table of it changes.
    """

    def __init__(self, client: Any, io: FileIO, claim: Callable[[str], None]) -> None:
        super().__init__("lake", client=client)
        self._file_io = io
        self._claim = claim

    def commit_table(
        self,
        table: Table,
        requirements: tuple[TableRequirement, ...],
        updates: tuple[TableUpdate, ...],
    ) -> CommitTableResponse:
        self._claim(table.name()[0])
        committed = super().commit_table(table, requirements, updates)
        mark_committed(self._file_io, committed.metadata_location)
        return committed

    def point(self, name: tuple[str, str], metadata: str) -> None:
        """In one request, which Glue refuses when the table changed meanwhile."""
        try:
            held = self._get_glue_table(*name)
        except NoSuchTableError:
            self.register_table(name, metadata)
            return
        table = table_at(name, metadata, self._file_io, self)
        found = _construct_table_input(name[1], metadata, table.properties, table.metadata, held)
        self._update_glue_table(*name, found, held["VersionId"])

    def _load_file_io(self, properties: Any = None, location: str | None = None) -> FileIO:
        return self._file_io

    def _is_s3tables_database(self, database_name: str) -> bool:
        return False  # asking costs a request a commit

    def _create_glue_table(
        self, database_name: str, table_name: str, table_input: TableInputTypeDef
    ) -> None:
        super()._create_glue_table(database_name, table_name, _within_limits(table_input))

    def _update_glue_table(
        self,
        database_name: str,
        table_name: str,
        table_input: TableInputTypeDef,
        version_id: str,
    ) -> None:
        super()._update_glue_table(
            database_name, table_name, _within_limits(table_input), version_id
        )


def _within_limits(table: TableInputTypeDef) -> TableInputTypeDef:
    """Glue refuses comments of several lines, and long ones; Iceberg's metadata has them whole."""
    if comment := table["Parameters"].get("comment"):
        table["Description"] = _shortened(comment, DESCRIPTION_CHARACTERS)
    for column in table["StorageDescriptor"]["Columns"]:
        if "Comment" in column:
            column["Comment"] = _shortened(column["Comment"], COMMENT_CHARACTERS)
    return table


def _shortened(text: str, limit: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _is_iceberg(table: Mapping[str, Any]) -> bool:
    return str(table.get("Parameters", {}).get("table_type", "")).lower() == "iceberg"
