"""Which branches there are: who made each, and when.

Belongs here: the table in the mesh's own state.
Does not belong here: what a branch has published (the stores say), making and dropping one
(`shared_resources/branching/`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from shared_resources.state.database import TABLES, StateDatabase, insert
from shared_resources.stores.branched.names import BranchProblem, check_name

_BRANCHES = sa.Table(
    "mesh_branches",
    TABLES,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
)


@dataclass(frozen=True)
class Branch:
    """A branch of the mesh that this state is of."""

    name: str
    made_by: str
    made_at: datetime


class Branches:
    """The branches in production's state."""

    def __init__(self, state: StateDatabase) -> None:
        self._state = state

    def all(self) -> list[Branch]:
        """By name."""
        with self._state.begin() as connection:
            rows = connection.execute(sa.select(_BRANCHES).order_by(_BRANCHES.c.name))
            return [Branch(r.name, r.made_by, _aware(r.made_at)) for r in rows]

    def add(self, name: str, by: str) -> None:
        """Raises `BranchProblem` for a name that is taken, or unfit."""
        values = {"name": check_name(name), "made_by": by, "made_at": datetime.now(UTC)}
        with self._state.begin() as connection:
            added = connection.execute(
                insert(connection, _BRANCHES).values(values).on_conflict_do_nothing()
            )
            if not added.rowcount:
                raise BranchProblem(
                    f"there is a branch {name} already; take another name, or drop it: `mesh branch "
                    f"drop {name}`"
                )

    def get(self, name: str) -> Branch:
        """The branch of that name. Raises `BranchProblem`."""
        known = {branch.name: branch for branch in self.all()}
        if name not in known:
            check_name(name)
            there = f"there are {', '.join(known)}" if known else "there is none"
            raise BranchProblem(
                f"there is no branch {name!r}, {there}; `mesh branch create {name}` makes it"
            )
        return known[name]

    def remove(self, name: str) -> None:
        with self._state.begin() as connection:
            connection.execute(sa.delete(_BRANCHES).where(_BRANCHES.c.name == name))


def _aware(moment: datetime) -> datetime:
    """SQLite keeps no zone."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
