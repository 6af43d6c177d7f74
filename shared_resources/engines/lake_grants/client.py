"""Asking Lake Formation and Glue, and sending a change.

Belongs here: listings with all their pages, what of a permission shows rows, failures in an answer.
Does not belong here: what is sent (`calls.py`), how often it is tried again (`production/patience.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared_resources.engines.lake_grants.calls import Call, Entry
from shared_resources.engines.lake_grants.words import TAG_KEY, Shown, Table
from shared_resources.problems import MeshProblem

if TYPE_CHECKING:
    from shared_resources.production.settings import ProductionSettings

# With these a principal reads rows; the others change a table or describe it.
SHOWING = frozenset({"SELECT", "ALL", "SUPER_USER"})
_PAGE = 1_000
# One grant on all tables of a database is taken back for the first of them.
_NOTHING_TO_REVOKE = "No permissions revoked"


class LakeFormationProblem(MeshProblem):
    """Lake Formation, Glue or STS refused; the message says what was asked."""


class LakeFormation:
    """Nothing is asked before the first method is called."""

    def __init__(self, settings: ProductionSettings) -> None:
        self._settings = settings

    @cached_property
    def _client(self) -> Any:
        return self._settings.lake_formation()

    @cached_property
    def _glue(self) -> Any:
        return self._settings.glue()

    @cached_property
    def catalog(self) -> str:
        """The account, whose number is its catalog's."""
        with _asking("which account it is"):
            return str(self._settings.sts().get_caller_identity()["Account"])

    def table(self, product: str) -> Table | None:
        """The product's table; None while the lake has none."""
        domain, _, name = product.partition("/")
        database = self._settings.glue_prefix + domain
        with _asking(f"Glue for the table {database}.{name}"):
            try:
                found = self._glue.get_table(DatabaseName=database, Name=name)["Table"]
            except self._glue.exceptions.EntityNotFoundException:
                return None
        described = found.get("StorageDescriptor", {})
        if not str(described.get("Location", "")).startswith(self._settings.lake.url() + "/"):
            return None  # another lake's
        columns = tuple(column["Name"] for column in described.get("Columns", ()))
        return Table(product, database, name, columns)

    def permissions(self) -> Iterator[Entry]:
        """Those that show rows. Who may pass them on administers the lake: he is left out."""
        for one in self._pages("list_permissions", "PrincipalResourcePermissions", {}):
            showing = tuple(p for p in one.get("Permissions", ()) if p in SHOWING)
            if showing and not SHOWING.intersection(one.get("PermissionsWithGrantOption", ())):
                principal = one["Principal"]["DataLakePrincipalIdentifier"]
                yield Entry(principal, _revocable(one["Resource"]), showing)

    def filters(self, table: Table) -> dict[str, dict[str, Any]]:
        """The data cells filters of the table, by name."""
        of = {"CatalogId": self.catalog, "DatabaseName": table.database, "Name": table.name}
        found = self._pages("list_data_cells_filter", "DataCellsFilters", {"Table": of})
        return {
            one["Name"]: one
            for one in found
            if (one["DatabaseName"], one["TableName"]) == (table.database, table.name)
        }

    def tag_values(self) -> list[str] | None:
        """The values of the mesh's LF-tag; None where there is no such tag."""
        for one in self._pages("list_lf_tags", "LFTags", {}):
            if one["TagKey"] == TAG_KEY:
                return list(one["TagValues"])
        return None

    def tagged(self, table: Table) -> dict[str, str]:
        """The columns' own values of the mesh's LF-tag."""
        resource = {
            "TableWithColumns": {
                "CatalogId": self.catalog,
                "DatabaseName": table.database,
                "Name": table.name,
                "ColumnNames": list(table.columns),
            }
        }
        with _asking(f"the LF-tags of {table.said}"):
            found = self._client.get_resource_lf_tags(
                CatalogId=self.catalog, Resource=resource, ShowAssignedLFTags=True
            )
        return {
            column["Name"]: str(tag["TagValues"][0])
            for column in found.get("LFTagsOnColumns", ())
            for tag in column.get("LFTags", ())
            if tag["TagKey"] == TAG_KEY
        }

    def send(self, call: Call) -> None:
        """Raises `LakeFormationProblem`, also for an answer that says what of it failed."""
        with _asking(call.operation):
            try:
                answer = getattr(self._client, call.operation)(**call.parameters)
            except self._client.exceptions.AlreadyExistsException:
                if call.operation != "create_data_cells_filter":
                    raise
                self._client.update_data_cells_filter(
                    **call.parameters
                )  # a death before it was told
                return
        for failure in answer.get("Failures", ()):
            error = failure.get("Error", {})
            code, message = error.get("ErrorCode", ""), error.get("ErrorMessage", "")
            if _NOTHING_TO_REVOKE not in message:
                raise _refused(call.operation, code, message)

    def _pages(
        self, operation: str, field: str, asked: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        ask: Callable[..., dict[str, Any]] = getattr(self._client, operation)
        token: dict[str, str] = {}
        while True:
            with _asking(operation):
                page = ask(**{**asked, "MaxResults": _PAGE, **token})
            yield from page.get(field, ())
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}


def _revocable(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    """The resource as a request names it: a listing calls all tables of a database by a name, too."""
    table = resource.get("Table")
    if table is None or "TableWildcard" not in table:
        return resource
    return {"Table": {key: value for key, value in table.items() if key != "Name"}}


def shown_by(entries: Sequence[Entry]) -> Shown:
    """What the permissions of one principal on one table show together."""
    columns: set[str] = set()
    filters: set[str] = set()
    everything, without = False, frozenset[str]()
    for entry in entries:
        resource = entry.resource
        if cells := resource.get("DataCellsFilter"):
            filters.add(cells["Name"])
        elif (some := resource.get("TableWithColumns")) and some.get("ColumnNames"):
            columns.update(some["ColumnNames"])
        else:  # a table, all tables of its database, all columns but some
            named = (some or {}).get("ColumnWildcard") or {}
            left_out = frozenset(named.get("ExcludedColumnNames") or ())
            without = without & left_out if everything else left_out
            everything = True
    return Shown(frozenset(columns), frozenset(filters), everything, without)


def place_of(entry: Entry) -> tuple[str, str] | None:
    """The database and the table that the permission is about, "" for all tables; None for others."""
    for kind, name in (
        ("DataCellsFilter", "TableName"),
        ("TableWithColumns", "Name"),
        ("Table", "Name"),
    ):
        if about := entry.resource.get(kind):
            return about["DatabaseName"], about.get(name, "")
    return None


@contextmanager
def _asking(what: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as problem:
        error = problem.response.get("Error", {})
        raise _refused(what, error.get("Code", ""), error.get("Message", "")) from problem
    except BotoCoreError as problem:
        raise LakeFormationProblem(
            f"asking AWS for {what} failed ({problem}); look at the network and the credentials"
        ) from problem


def _refused(what: str, code: str, message: str) -> LakeFormationProblem:
    if "AccessDenied" in code:
        remedy = "give the platform's role what docs/production.md lists for `mesh access apply`"
    elif "Concurrent" in code:
        remedy = "somebody changes the same at this moment: apply again"
    else:
        remedy = "nothing was opened by it: mend that, and apply again"
    return LakeFormationProblem(f"AWS refused {what} ({code}: {message}); {remedy}")
