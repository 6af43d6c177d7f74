"""Carrying an erasure out: every place in its order, from wherever a process before died.

Belongs here: the order of places, what is noted before and after each, what the certificate says.
Does not belong here: a kind of place (the other modules), which erasures there are to be made
(`performing.py`), the journal's form (`evidence/erasures.py`).

Text comes first: it is searched by the keys alone, which nobody has any more when what holds them in
columns was erased and the process that was given them is dead. It comes last again, for what was
written meanwhile. In between what is read (landed files, rejected rows) comes before what is published.
Each step may be done twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from shared_resources.access.masking_key import hmac_keys
from shared_resources.contracts.streams.model import Engine
from shared_resources.engines.embedded_views.following import renew
from shared_resources.environment import Environment
from shared_resources.erasing.in_landing import InObject, erase_in_landing
from shared_resources.erasing.in_quarantine import erase_in_quarantine, quarantines
from shared_resources.erasing.in_stores import erase_in_stores, would_erase
from shared_resources.erasing.in_text import Words, clean_folder
from shared_resources.erasing.knowing import Holding, who_knew
from shared_resources.erasing.subjects import Known, Subjects, derived
from shared_resources.evidence.erasures import PENDING, Erasure, done, hashed, name_of
from shared_resources.landing.errors import LandingError
from shared_resources.mesh.model import Mesh
from shared_resources.object_store.local_copies import LocalCopies
from shared_resources.serving_ports import following as serving_ports
from shared_resources.stores.protocol import Version

Place = dict[str, Any]
Told = list[tuple[Known, tuple[Version, ...]]]

# Below MESH_HOME: what has rows in columns, or is named by the digest of its content.
_NOT_TEXT = frozenset(
    {
        "attestations",
        "copies",
        # What a job has read of a topic, and compares with it.
        "flink",
        "lake",
        "landing",
        "locks",
        # What a producer sent, to be read as it came: messages with stars in them would be published.
        "log",
        "ports",
        "quarantine",
        "registry",
        "warehouse",
    }
)
_IN_POSTGRES = (
    "Dagster's event log and the mesh's state in Postgres were not searched for keys: no value reaches "
    "them by the mesh. Where a product's own code printed any, delete those runs (`dagster run delete`)"
)
_NOT_SEARCHED = (
    "its keys were not given again: text outside of columns was not searched for all of them. Erase "
    "again with the same keys"
)


def planned(environment: Environment, holding: Holding, who: Subjects) -> list[Place]:
    """What an erasure would find: nothing is changed, and nothing noted."""
    found: list[Place] = []
    for known in who_knew(environment, holding.contracts, who.kind):
        for obj in erase_in_landing(environment, known, who, dry_run=True):
            found.append(_place(known, "landing", obj.key, obj.rows, problem=obj.problem))
        found += _rejected(environment, known, who, "", dry_run=True)
        for one in would_erase(environment, known, who):
            found.append(_place(known, one.store, one.what, one.rows, one.branch, one.problem))
    return found + _texts(environment, who, dry_run=True)


def carry_out(
    environment: Environment, mesh: Mesh, holding: Holding, who: Subjects, entry: Erasure
) -> tuple[Erasure, Told]:
    """Do all that is left to do of the erasure; its certificate, and the versions by which readers learn.

    `who` may be fewer than the entry has: those that a process before has not erased. Nobody at all: what
    it left behind is removed.
    """
    return _CarryingOut(environment, mesh, holding, who, entry).run()


def forget_pending(environment: Environment, entry: Erasure) -> Erasure:
    """Remove what a replaced object's bucket has kept of it; the entry without what is gone by then."""
    places, still = [], []
    for place in entry.places:
        if place.get(PENDING):
            try:
                environment.landing_zone.forget_earlier(str(place["what"]))
                place = {name: value for name, value in place.items() if name != PENDING}
            except LandingError:
                still.append(f"landing {place['what']} of ")
        places.append(place)
    left = [
        one
        for one in entry.left
        if any(one.startswith(start) for start in still)
        or not any(_says_of(one, place) for place in entry.places if place.get(PENDING))
    ]
    return replace(entry, places=tuple(places), left=tuple(left))


class _CarryingOut:
    def __init__(
        self,
        environment: Environment,
        mesh: Mesh,
        holding: Holding,
        who: Subjects,
        entry: Erasure,
    ) -> None:
        self._environment = environment
        self._mesh = mesh
        self._holding = holding
        self._who = who
        self._entry = entry
        self._words = Words(who.distinctive)
        self._found: list[Place] = [dict(place) for place in entry.places]

    def run(self) -> tuple[Erasure, Told]:
        environment, who, told = self._environment, self._who, Told()
        self._texts_first()
        known = who_knew(environment, self._holding.contracts, who.kind)
        for one in known:
            self._landed(one)
            self._found += _rejected(environment, one, who, self._entry.id)
            self._note()
            in_versions, versions = erase_in_stores(environment, one, who, self._entry.id)
            for each in in_versions:
                self._add(one, each.store, each.what, each.rows, each.branch, each.problem)
            if versions:
                told.append((one, versions))
            for file, why in renew(environment, one.contract.key):
                self._add(one, "views", file, 0, problem=why)
            for port, why in serving_ports.renew(environment, one.contract):
                self._add(one, "serving port", port, 0, problem=why)
        self._found += _texts(environment, who)
        LocalCopies(environment.home / "copies").remove_all()
        made = done(self._entry, *self._said(known))
        environment.attestor.certify(lambda digest: name_of(made, digest), made.statement())
        return made, told

    def _texts_first(self) -> None:
        keys = hmac_keys(self._environment)
        given = {hashed(keys, self._who.kind, value) for value in self._who.values}
        if given:
            self._found += _texts(self._environment, self._who)
        if given >= set(self._entry.subjects):
            self._entry = replace(self._entry, text_searched=True)
        self._note()

    def _landed(self, known: Known) -> None:
        """What is about to be replaced is noted before: then nothing shows any more that it was."""
        pending: dict[str, Place] = {
            place["what"]: place
            for place in self._found
            if place.get(PENDING) and place.get("product") == known.contract.key
        }

        def about_to(obj: InObject) -> None:
            pending[obj.key] = _place(known, "landing", obj.key, obj.rows) | {PENDING: True}
            self._found = [
                *(one for one in self._found if not _is(one, pending[obj.key])),
                pending[obj.key],
            ]
            self._note()

        erased = erase_in_landing(self._environment, known, self._who, about_to=about_to)
        for obj in erased:
            if obj.problem:
                self._add(known, "landing", obj.key, obj.rows, problem=obj.problem)
            elif (place := pending.pop(obj.key, None)) is not None:
                del place[PENDING]
        resisting = {one["what"] for one in self._found if one.get("problem")}
        for key, place in pending.items():
            if key not in resisting:  # the process that noted it died there
                try:
                    self._environment.landing_zone.forget_earlier(key)
                    del place[PENDING]
                except LandingError as problem:
                    self._add(known, "landing", key, 0, problem=str(problem))

    def _add(
        self, known: Known, place: str, what: str, rows: int, branch: str = "", problem: str = ""
    ) -> None:
        self._found.append(_place(known, place, what, rows, branch, problem))

    def _note(self) -> None:
        """What left a file is known from nothing but this, if this process dies."""
        whole = [one for one in self._cleaned() if not one.get("problem")]
        noted = replace(self._entry, places=tuple(whole))
        self._environment.attestor.certify(lambda digest: name_of(noted, digest), noted.statement())

    def _said(self, known: Sequence[Known]) -> tuple[list[Place], list[str], list[str], list[str]]:
        """What the certificate says: where rows were taken from, what is derived, what is left, and what
        is beyond the mesh's reach."""
        places = self._cleaned()
        left = [
            f"{one['place']} {one['what']} of {one['product']}: {one['problem']}"
            for one in places
            if one.get("problem")
        ]
        left += self._holding.unknown
        if not self._entry.text_searched:
            left.append(_NOT_SEARCHED)
        notes = [_IN_POSTGRES] if self._environment.database_url is not None else []
        notes += [
            f"the topic {topic} of {one.contract.key} holds what was sent as long as "
            "it keeps it: who reads from an earlier position, as after a rollback, reads it again"
            for one in known
            if one.contract.stream is not None
            for topic in one.contract.stream.topics
        ]
        notes += [
            f"a job of Flink's stages what it reads of {one.contract.stream.topic} until all of a file "
            f"is published: `mesh stream job {one.contract.key}`, begun anew, drops what is staged"
            for one in known
            if one.contract.stream is not None and one.contract.stream.engine is Engine.FLINK
        ]
        whole = [one for one in places if not one.get("problem")]
        return whole, derived(self._mesh, known), left, notes

    def _cleaned(self) -> list[Place]:
        """Each place once, in words that name nobody."""
        cleaned = [
            {name: self._words.out_of(v) if isinstance(v, str) else v for name, v in one.items()}
            for one in self._found
        ]
        return [one for number, one in enumerate(cleaned) if one not in cleaned[:number]]


def _rejected(
    environment: Environment, known: Known, who: Subjects, erasure: str, *, dry_run: bool = False
) -> Iterator[Place]:
    """Rejected rows of production and of branches."""
    for branch, quarantine in quarantines(environment):
        for entry in erase_in_quarantine(quarantine, known, who, erasure, dry_run=dry_run):
            yield _place(known, "quarantine", entry.id, entry.rows, branch, entry.problem)


def _texts(environment: Environment, who: Subjects, *, dry_run: bool = False) -> list[Place]:
    """Logs, events and small state: each file that held a key."""
    words, home = Words(who.distinctive), environment.home
    folders = [path for path in sorted(home.glob("*")) if path.name not in _NOT_TEXT]
    if not environment.dagster.is_relative_to(home):
        folders.append(environment.dagster)
    return [
        {"place": "text", "what": words.out_of(str(path)), "rows": None}
        for folder in folders
        for path in clean_folder(folder, words, dry_run=dry_run)
    ]


def _place(
    known: Known, place: str, what: str, rows: int, branch: str = "", problem: str = ""
) -> Place:
    said: Place = {"product": known.contract.key, "place": place, "what": what, "rows": rows}
    return said | ({"branch": branch} if branch else {}) | ({"problem": problem} if problem else {})


def _is(one: Place, other: Place) -> bool:
    return bool(one.get(PENDING)) and one["what"] == other["what"]


def _says_of(left: str, place: Any) -> bool:
    return left.startswith(f"landing {place['what']} of {place['product']}: ")
