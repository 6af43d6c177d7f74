"""Snowflake as an engine: the port over a session.

Belongs here: which shares it serves, executing a change.
Does not belong here: the items (`items.py`), reading what is there (`live.py`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from shared_resources.contracts.model import Server
from shared_resources.engines.cloud_warehouse.items import (
    KINDS,
    SCHEMA,
    SnowflakeItem,
    Unsayable,
    items_of,
)
from shared_resources.engines.cloud_warehouse.live import live_items, published_columns
from shared_resources.engines.engine import Action, Change, Desired, Item, Kind
from shared_resources.engines.shares import Share, Withheld, withheld
from shared_resources.problems import MeshProblem
from shared_resources.stores.cloud_warehouse.session import Missing, SnowflakeSession


class NotEmpty(MeshProblem):
    """A schema of the platform's holds what is not the platform's."""


class SnowflakeEngine:
    """`AccessEngine` over the session of the warehouse; its role must own, or be let make, what is made
    (docs/production.md)."""

    name = "snowflake"
    in_use = True
    kinds: Sequence[Kind] = KINDS

    def __init__(self, session: SnowflakeSession) -> None:
        self._session = session

    def desired(self, shares: Sequence[Share]) -> Desired:
        """Of the products that are published in the warehouse. Raises `SnowflakeProblem`."""
        served = [share for share in shares if Server.WAREHOUSE in share.contract.servers]
        published = published_columns(self._session, (share.contract.domain for share in served))
        items: dict[object, Item] = {}
        unsaid: list[Withheld] = []
        for share in served:
            if share.product not in published:
                unsaid.append(withheld(share, "it is not published in the warehouse yet"))
                continue
            try:
                items.update((one.key, one) for one in items_of(share, published[share.product]))
            except Unsayable as problem:
                unsaid += problem.said
        return Desired(frozenset(items.values()), tuple(unsaid))

    def live(self) -> frozenset[Item]:
        return frozenset(live_items(self._session))

    def words(self, change: Change) -> tuple[str, ...]:
        item = change.item
        assert isinstance(item, SnowflakeItem)
        match change.action:
            case Action.REMOVE:
                return (item.drop,)
            case Action.REPLACE:
                return (item.again or item.make,)
            case Action.MAKE:
                return (item.make,)

    def execute(self, change: Change) -> None:
        """Raises `SnowflakeProblem`, and `NotEmpty` before it would drop what others made."""
        with self._session.tagged(access=f"{change.action} {change.item.kind}"):
            if (change.action, change.item.kind) == (Action.REMOVE, SCHEMA):
                self._refuse_to_drop_others(change.item.name)
            missing = contextlib.suppress(Missing)
            with missing if change.action is Action.REMOVE else contextlib.nullcontext():
                for statement in self.words(change):
                    self._session.execute(statement)

    def _refuse_to_drop_others(self, schema: str) -> None:
        with contextlib.suppress(Missing):
            if self._session.query(f"SHOW OBJECTS IN SCHEMA {schema}").rows:
                raise NotEmpty(
                    f"the schema {schema} in Snowflake is no longer needed, and holds what the platform "
                    "did not make; move that, and apply again"
                )
