"""The engine `lakeformation`: what there is to be, what there is, and changing one thing.

Belongs here: the port's methods; which permission is about which product and reader.
Does not belong here: items and their words (`words.py`), requests (`calls.py`, `client.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from shared_resources.contracts.model import Classification, Contract, Server
from shared_resources.engines.engine import Change, Desired, Item
from shared_resources.engines.lake_grants.calls import (
    Call,
    Entry,
    calls_for,
    principal_of,
    table_of,
)
from shared_resources.engines.lake_grants.client import LakeFormation, place_of, shown_by
from shared_resources.engines.lake_grants.words import (
    GRANT,
    KINDS,
    MARK,
    TAG,
    TAG_KEY,
    Table,
    compiled,
    filter_item,
    grant_item,
    single,
    tag_item,
    tagged,
    tagged_item,
)
from shared_resources.engines.shares import Share, Withheld, ended_of, withheld
from shared_resources.environment import Environment
from shared_resources.mesh import look_at_mesh
from shared_resources.mesh.agreements.oaas import written
from shared_resources.mesh.model import Mesh
from shared_resources.mesh.read import read_central

_Place = tuple[str, str]  # a principal, and `database.table`


class LakeGrants:
    """Implements `engine.AccessEngine` for the products of the lake on S3 with Glue."""

    name = "lakeformation"
    in_use = True  # there is none where governance names no principals
    kinds = KINDS

    def __init__(self, environment: Environment, lake_formation: LakeFormation) -> None:
        self._environment = environment
        self._aws = lake_formation
        self._entries: dict[_Place, list[Entry]] = {}
        self._tagged: dict[str, dict[str, str]] = {}
        self._purposes: dict[tuple[str, str], str] = {}

    def desired(self, shares: Sequence[Share]) -> Desired:
        mesh, now = look_at_mesh(self._environment), datetime.now(UTC)
        principals = mesh.central.aws_principals or {}
        tables = dict(self._tables(mesh))
        items, unsaid = list(self._classified(mesh, tables)), list[Withheld]()
        for share in single([s for s in shares if Server.LAKE in s.contract.servers]):
            if isinstance(share, Withheld):
                unsaid.append(share)
                continue
            found, left = self._of(share, principals.get(str(share.consumer)), tables, now)
            items += found
            unsaid += left
        for share in ended_of(mesh, now):
            ended = written(share.ends) if share.ends else ""
            if str(share.consumer) in principals and share.product in tables:
                unsaid.append(withheld(share, f"it ended {ended}"))
        said: list[Item | Withheld] = [*items, *unsaid]
        for one in said:
            if one.consumer:
                self._purposes[one.product, one.consumer] = one.purpose
        return Desired(frozenset(items), tuple(unsaid))

    def live(self) -> frozenset[Item]:
        central = read_central(self._environment)
        readers = {arn: reader for reader, arn in (central.aws_principals or {}).items()}
        tables = dict(self._tables(look_at_mesh(self._environment)))
        items: list[Item] = []
        if (values := self._aws.tag_values()) is not None:
            known = [level for level in sorted(Classification) if level in values]
            items.append(Item(TAG, TAG_KEY, json.dumps(known)))
        self._tagged = {table.said: self._aws.tagged(table) for table in tables.values()}
        for table in tables.values():
            if levels := self._tagged[table.said]:
                items.append(tagged(table, levels))
            items += self._filters(table)
        self._entries = self._by_place(tables)
        by_name = {table.said: table for table in tables.values()}
        for (principal, place), entries in self._entries.items():
            table, reader = by_name[place], readers.get(principal, principal)
            purpose = self._purposes.get((table.product, reader), "")
            items.append(grant_item(table, principal, shown_by(entries), reader, purpose))
        return frozenset(items)

    def words(self, change: Change) -> tuple[str, ...]:
        return tuple(str(call) for call in self._calls(change))

    def execute(self, change: Change) -> None:
        for call in self._calls(change):
            self._aws.send(call)

    def _calls(self, change: Change) -> list[Call]:
        item = change.item
        entries: Sequence[Entry] = ()
        if item.kind == GRANT:
            entries = self._entries.get((principal_of(item), table_of(item)), ())
        return calls_for(change, self._aws.catalog, entries, self._tagged.get(item.name, {}))

    def _of(
        self, share: Share, principal: str | None, tables: dict[str, Table], now: datetime
    ) -> tuple[list[Item], list[Withheld]]:
        table = tables.get(share.product)
        if principal is None:
            why = f"no principal of AWS is {share.consumer}: name it under awsPrincipals in "
            return [], [withheld(share, f"{why}domains/governance.yaml")]
        if table is None:
            return [], [withheld(share, "it is not published in the lake yet; apply once it is")]
        if share.starts is not None and share.starts > now:
            why = f"it begins {written(share.starts)}, and grants of Lake Formation begin at once"
            return [], [withheld(share, f"{why}; apply then")]
        return compiled(share, table, principal)

    def _tables(self, mesh: Mesh) -> Iterator[tuple[str, Table]]:
        """Of the products whose agreements are here, those that the lake has."""
        for contract in _in_lake(mesh):
            if (table := self._aws.table(contract.key)) is not None:
                yield contract.key, table

    def _classified(self, mesh: Mesh, tables: dict[str, Table]) -> Iterator[Item]:
        if tables:
            yield tag_item()
        for contract in _in_lake(mesh):
            if table := tables.get(contract.key):
                item = tagged_item(table, contract)
                if item.state != tagged(table, {}).state:
                    yield item

    def _filters(self, table: Table) -> Iterator[Item]:
        for name, one in self._aws.filters(table).items():
            if name.startswith(MARK):
                rows = one.get("RowFilter", {}).get("FilterExpression", "")
                yield filter_item(table, name, one.get("ColumnNames") or (), rows)

    def _by_place(self, tables: dict[str, Table]) -> dict[_Place, list[Entry]]:
        """The permissions by principal and table; one on all tables of a database is one on each."""
        places: dict[str, list[Table]] = {}
        for table in tables.values():
            places.setdefault(table.database, []).append(table)
        found: dict[_Place, list[Entry]] = {}
        for entry in self._aws.permissions():
            database, name = place_of(entry) or ("", "")
            for table in places.get(database, ()):
                if name in ("", table.name):
                    found.setdefault((entry.principal, table.said), []).append(entry)
        return found


def _in_lake(mesh: Mesh) -> list[Contract]:
    return [
        folder.contract
        for domain in mesh.own_domains
        for folder in domain.products
        if folder.contract is not None and Server.LAKE in folder.contract.servers
    ]
