"""The calls that make a change, in the order in which they are safe.

Belongs here: requests of Lake Formation for each kind of item: what is sent, and what before what.
Does not belong here: sending them (`client.py`), which items there are to be (`words.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared_resources.contracts.model import Classification
from shared_resources.engines.engine import Action, Change, Item
from shared_resources.engines.lake_grants.words import FILTER, GRANT, TAG, TAG_KEY, TAGGED

SELECT = "SELECT"


@dataclass(frozen=True)
class Call:
    """One request: the operation as boto3 calls it, with its parameters."""

    operation: str
    parameters: Mapping[str, Any]

    def __str__(self) -> str:
        """As AWS's command line says it."""
        command = self.operation.replace("_lf_", "-lf-").replace("_", "-")
        sent = json.dumps(self.parameters, sort_keys=True).replace("'", "'\\''")
        return f"aws lakeformation {command} --cli-input-json '{sent}'"


@dataclass(frozen=True)
class Entry:
    """A permission as it is listed: its resource, and those of its permissions that show rows."""

    principal: str
    resource: Mapping[str, Any]
    permissions: tuple[str, ...]


def calls_for(
    change: Change, catalog: str, entries: Sequence[Entry], tagged: Mapping[str, str]
) -> list[Call]:
    """The calls of a change. `entries` are the principal's permissions on the table now, `tagged` the
    levels that the table's columns have now."""
    match change.item.kind:
        case kind if kind == TAG:
            return list(_tag(change, catalog))
        case kind if kind == TAGGED:
            return list(_tagged(change, catalog, tagged))
        case kind if kind == FILTER:
            return [_filter(change, catalog)]
        case kind if kind == GRANT:
            return list(_grant(change, catalog, entries))
    raise AssertionError(f"{change.item.kind} is no kind of Lake Formation's items")


def _tag(change: Change, catalog: str) -> Iterator[Call]:
    key = {"CatalogId": catalog, "TagKey": TAG_KEY}
    match change.action:
        case Action.MAKE:
            yield Call("create_lf_tag", {**key, "TagValues": json.loads(change.item.state)})
        case Action.REPLACE:
            before = json.loads(change.before.state) if change.before else []
            missing = [level for level in json.loads(change.item.state) if level not in before]
            yield Call("update_lf_tag", {**key, "TagValuesToAdd": missing})
        case Action.REMOVE:
            yield Call("delete_lf_tag", key)


def _tagged(change: Change, catalog: str, now: Mapping[str, str]) -> Iterator[Call]:
    """One call a level: an assigned value replaces the one before."""
    wanted = {} if change.action is Action.REMOVE else json.loads(change.item.state)
    for level in Classification:
        columns = sorted(c for c, one in wanted.items() if one == level and now.get(c) != one)
        if columns:
            yield _on_columns("add_lf_tags_to_resource", change.item, catalog, columns, level)
    for left in sorted({one for column, one in now.items() if column not in wanted}):
        gone = sorted(c for c, one in now.items() if one == left and c not in wanted)
        yield _on_columns("remove_lf_tags_from_resource", change.item, catalog, gone, left)


def _on_columns(
    operation: str, item: Item, catalog: str, columns: Sequence[str], level: str
) -> Call:
    resource = {"TableWithColumns": {**_table(item, catalog), "ColumnNames": list(columns)}}
    tags = [{"CatalogId": catalog, "TagKey": TAG_KEY, "TagValues": [str(level)]}]
    return Call(operation, {"CatalogId": catalog, "Resource": resource, "LFTags": tags})


def _filter(change: Change, catalog: str) -> Call:
    place, _, name = change.item.name.partition(": ")
    database, _, table = place.partition(".")
    of = {
        "TableCatalogId": catalog,
        "DatabaseName": database,
        "TableName": table,
        "Name": name,
    }
    if change.action is Action.REMOVE:
        return Call("delete_data_cells_filter", of)
    said = json.loads(change.item.state)
    data = {
        **of,
        "RowFilter": {"FilterExpression": said["rows"]},
        "ColumnNames": said["columns"],
    }
    made = change.action is Action.MAKE
    operation = "create_data_cells_filter" if made else "update_data_cells_filter"
    return Call(operation, {"TableData": data})


def _grant(change: Change, catalog: str, entries: Sequence[Entry]) -> Iterator[Call]:
    """What is taken back goes before what is given: permissions add up. Columns alone that are added to
    columns alone take nothing back."""
    said = {} if change.action is Action.REMOVE else json.loads(change.item.state)
    before = json.loads(change.before.state) if change.before else {}
    had, wanted = frozenset(before.get("columns", ())), frozenset(said.get("columns", ()))
    adds = bool(wanted) and set(before) <= {"columns"} and had <= wanted
    if entries and not adds:
        yield Call(
            "batch_revoke_permissions",
            {
                "CatalogId": catalog,
                "Entries": [
                    {
                        "Id": str(number),
                        "Principal": {"DataLakePrincipalIdentifier": entry.principal},
                        "Resource": dict(entry.resource),
                        "Permissions": list(entry.permissions),
                    }
                    for number, entry in enumerate(entries)
                ],
            },
        )
    table = _table(change.item, catalog)
    resources: list[dict[str, Any]] = []
    if given := sorted(wanted - had if adds else wanted):
        resources.append({"TableWithColumns": {**table, "ColumnNames": given}})
    resources += [
        {
            "DataCellsFilter": {
                "TableCatalogId": catalog,
                "DatabaseName": table["DatabaseName"],
                "TableName": table["Name"],
                "Name": name,
            }
        }
        for name in said.get("filters", ())
    ]
    for resource in resources:
        yield Call(
            "grant_permissions",
            {
                "CatalogId": catalog,
                "Principal": {"DataLakePrincipalIdentifier": principal_of(change.item)},
                "Resource": resource,
                "Permissions": [SELECT],
            },
        )


def principal_of(item: Item) -> str:
    return item.name.partition(" reads ")[0]


def table_of(item: Item) -> str:
    """`database.table` of an item that is about one."""
    return item.name.partition(" reads ")[2] if item.kind == GRANT else item.name.split(": ")[0]


def _table(item: Item, catalog: str) -> dict[str, str]:
    database, _, name = table_of(item).partition(".")
    return {"CatalogId": catalog, "DatabaseName": database, "Name": name}
