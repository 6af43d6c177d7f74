"""How processes of streams ended that were to go on: whether that may pass, and what it was.

Belongs here: that verdict, noting it for whoever looks at the mesh, forgetting it when one is started.
Does not belong here: starting one again (`keeper.py`), looking at the notes (`last_endings.py`).

`NotPublished` ends other commands as wrong use, and those of `_FOR_A_PERSON` as a failure; of what is to
run for good the one passes by itself, and the others do not. The note is in the mesh's state, so that it
is the same under `mesh stream --all`, systemd and Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import sqlalchemy as sa

from shared_resources.access.grants import NoAgreement
from shared_resources.governance.catalogue import PolicyViolation
from shared_resources.governance.stopped import ProductStopped
from shared_resources.problems import MeshProblem
from shared_resources.state.database import TABLES, StateDatabase, Words, insert
from shared_resources.stores.protocol import NotPublished

SOMEBODY_ACTS = 2
_FOR_A_PERSON = (NoAgreement, PolicyViolation, ProductStopped)
_ENDED = sa.Table(
    "mesh_stream_endings",
    TABLES,
    sa.Column("process", sa.Text, primary_key=True),
    sa.Column("why", Words, nullable=False),
    sa.Column("somebody_acts", sa.Boolean, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
)


class NotYet(MeshProblem):
    """What ended a stream's process passes by itself: it is to be started again (`exit_code` 1)."""


class SomebodyActs(MeshProblem):
    """A stream's process cannot go on until a person has done something (`exit_code` 2)."""

    exit_code = SOMEBODY_ACTS


class Endings:
    """The last endings in trouble of a mesh's processes."""

    def __init__(self, database: StateDatabase) -> None:
        self._database = database

    def began(self, process: str) -> None:
        with self._database.begin() as connection:
            connection.execute(sa.delete(_ENDED).where(_ENDED.c.process == process))

    def ended(self, process: str, why: str, somebody_acts: bool) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        values = {"why": why, "somebody_acts": somebody_acts, "at": at}
        with self._database.begin() as connection:
            statement = insert(connection, _ENDED).values(process=process, **values)
            changed = statement.on_conflict_do_update(
                index_elements=[_ENDED.c.process], set_=values
            )
            connection.execute(changed)


def somebody_acts(problem: MeshProblem) -> bool:
    if isinstance(problem, NotPublished):
        return False
    return problem.exit_code == SOMEBODY_ACTS or isinstance(problem, _FOR_A_PERSON)


@contextmanager
def to_go_on(database: StateDatabase, process: str) -> Iterator[None]:
    """Note how the process ends, if it is in trouble. Raises `NotYet` or `SomebodyActs` in the place of a
    problem whose own code says something else to whoever keeps it up."""
    endings = Endings(database)
    # A state that does not answer is said by what the process does next.
    with suppress(MeshProblem):
        endings.began(process)
    try:
        yield
    except MeshProblem as problem:
        acts = somebody_acts(problem)
        with suppress(MeshProblem):
            endings.ended(process, str(problem), acts)
        if acts is (problem.exit_code == SOMEBODY_ACTS):
            raise
        raise (SomebodyActs if acts else NotYet)(str(problem)) from problem
