"""Recognising who was erased in what an older copy of the mesh brought back.

Belongs here: every key that lies anywhere, compared with the journal by its keyed hash.
Does not belong here: erasing them again (`performing.py`), the hash (`evidence/erasures.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from shared_resources.environment import Environment
from shared_resources.erasing.in_landing import erase_in_landing
from shared_resources.erasing.in_quarantine import erase_in_quarantine, quarantines
from shared_resources.erasing.in_stores import holders, places, why
from shared_resources.erasing.subjects import Known, Subjects, normal
from shared_resources.evidence.erasures import Keys, hashed
from shared_resources.problems import MeshProblem
from shared_resources.sql import quote_identifier
from shared_resources.stores.protocol import Snapshot
from shared_resources.stores.reading.called import in_names_of
from shared_resources.stores.reading.duck import in_memory


class Recogniser(Collection[str]):
    """Asked of a key, it says whether the journal has it, and remembers those that it has."""

    def __init__(self, keys: Keys, kind: str, subjects: Collection[str]) -> None:
        self._keys = keys
        self.kind = kind
        self._subjects = frozenset(subjects)
        self._asked: dict[str, bool] = {}

    def __contains__(self, value: object) -> bool:
        text = str(value)
        if text not in self._asked:
            self._asked[text] = hashed(self._keys, self.kind, text) in self._subjects
        return self._asked[text]

    def __iter__(self) -> Iterator[str]:
        return (value for value, known in self._asked.items() if known)

    def __len__(self) -> int:
        return sum(self._asked.values())

    def __repr__(self) -> str:
        return f"Recogniser({self.kind})"


def recognise(
    environment: Environment, known: Collection[Known], found: Recogniser
) -> tuple[Subjects, list[str]]:
    """The subjects of the journal that lie in any landed file, rejected row or kept version; and what of
    those could not be looked at."""
    who = Subjects(found.kind, found)
    unread: list[str] = []
    for one in known:
        key = one.contract.key
        for obj in erase_in_landing(environment, one, who, dry_run=True):
            unread += [f"landing {obj.key} of {key}: {obj.problem}"] if obj.problem else []
        for _, quarantine in quarantines(environment):
            for entry in erase_in_quarantine(quarantine, one, who, "", dry_run=True):
                unread += [f"quarantine {entry.id}: {entry.problem}"] if entry.problem else []
        unread += _in_stores(environment, one, found)
    return Subjects(who.kind, frozenset(found)), unread


def _in_stores(environment: Environment, known: Known, found: Recogniser) -> Iterator[str]:
    import duckdb

    for store in holders(environment, known.contract):
        for _, contract in places(environment, known.contract):
            of = f"{store.name} of {contract.key}"
            try:
                versions = store.versions(contract.key)
            except (MeshProblem, OSError) as problem:
                yield f"{of}: {why(problem)}"
                continue
            for version in versions:
                try:
                    opened = store.open(contract.key, version.number)
                    _in_version(known, opened, found)
                except (MeshProblem, OSError, duckdb.Error) as problem:
                    yield f"{of}, version {version.number}: {why(problem)}"


def _in_version(known: Known, opened: Snapshot, found: Recogniser) -> None:
    snapshot = in_names_of(known.contract, opened, with_aliases=False)
    for column in known.columns:
        if column.name not in snapshot.schema.names:
            continue
        with in_memory() as connection:
            snapshot.register(connection, "version", [column.name])
            name = quote_identifier(column.name)
            rows = connection.execute(
                f"SELECT DISTINCT CAST({name} AS VARCHAR) FROM version"  # noqa: S608
            ).fetchall()
        for (value,) in rows:
            _ = value is not None and normal(value, [column]) in found
