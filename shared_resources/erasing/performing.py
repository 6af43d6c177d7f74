"""An erasure from its beginning to its certificate.

Belongs here: the order of places, going on where a process died, what stays and is said, applying
the journal again.
Does not belong here: a kind of place (the other modules), the journal's form
(`evidence/erasures.py`).

The order makes it final: first the journal, by which every publication of what was read before is
refused; then what is read (landed files, rejected rows), then what is published, then what speaks
of it. Each step may be done twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from shared_resources.access.masking_key import hmac_keys
from shared_resources.engines.embedded_views.following import renew
from shared_resources.environment import Environment
from shared_resources.erasing.in_landing import erase_in_landing
from shared_resources.erasing.in_quarantine import erase_in_quarantine
from shared_resources.erasing.in_stores import erase_in_stores, would_erase
from shared_resources.erasing.in_text import Words, clean_folder
from shared_resources.erasing.knowing import who_knew
from shared_resources.erasing.recognising import Recogniser, recognise
from shared_resources.erasing.subjects import Known, Subjects, UnknownSubject, derived
from shared_resources.evidence.envelope import BrokenEnvelope
from shared_resources.evidence.erasures import (
    Erasure,
    Keys,
    begin,
    done,
    hashed,
    journal,
    name_of,
    read_entry,
)
from shared_resources.evidence.kept import KeptAttestations
from shared_resources.governance.quarantine.quarantine import Quarantine
from shared_resources.mesh.model import Mesh
from shared_resources.object_store.local_copies import LocalCopies
from shared_resources.stores.branched.registry import Branches
from shared_resources.stores.protocol import Version
from shared_resources.wiring.branch import BRANCHES

# Below MESH_HOME: what has rows in columns, or is named by the digest of its content.
_NOT_TEXT = frozenset(
    {"lake", "warehouse", "landing", "quarantine", "attestations", "registry", "copies", "locks"}
)
_STAYS_IN_POSTGRES = (
    "Dagster's event log and the mesh's state in Postgres were not searched for keys: no value reaches "
    "them by the mesh, and what products' own code printed is theirs"
)

Place = dict[str, Any]


def plan(environment: Environment, mesh: Mesh, who: Subjects) -> list[Place]:
    """What an erasure would find: nothing is changed, and nothing noted."""
    found: list[Place] = []
    for known in who_knew(environment, mesh, who.kind):
        found += _read_from(environment, known, who, "", dry_run=True)
        for one in would_erase(environment, known, who):
            found.append(_place(known, one.store, f"version {one.number}", one.rows, one.branch))
    return found + _texts(environment, who, dry_run=True)


def erase(
    environment: Environment, mesh: Mesh, who: Subjects, by: str, reason: str
) -> tuple[Erasure, list[tuple[Known, tuple[Version, ...]]]]:
    """Erase them everywhere; the certificate, and the versions by which readers learn of it.

    One that died before its end is gone on with, under its own id, when it is asked for again.
    """
    place, keys = _kept(environment), hmac_keys(environment)
    words = Words(who.distinctive)
    with environment.state.lock("erase"):
        subjects = {hashed(keys, who.kind, value) for value in who.values}
        entry = _unfinished(place, who.kind, subjects)
        entry = entry or begin(who.kind, subjects, by, Words(who.said).out_of_own(reason))
        environment.attestor.certify(name_of(entry), entry.statement())
        known, told = who_knew(environment, mesh, who.kind), []
        found: list[Place] = [dict(place) for place in entry.places]
        for one in known:
            for read in _read_from(environment, one, who, entry.id):
                found.append(read)
                # What left a file is known from nothing but this, if this process dies.
                noted = replace(entry, places=tuple(_cleaned(found, words)))
                environment.attestor.certify(name_of(noted), noted.statement())
            in_versions, versions = erase_in_stores(environment, one, who, entry.id)
            for each in in_versions:
                what = f"version {each.number}"
                found.append(_place(one, each.store, what, each.rows, each.branch))
            if versions:
                told.append((one, versions))
            for file, why in renew(environment, one.contract.key):
                found.append(_place(one, "views", file, 0, problem=why))
        found += _texts(environment, who)
        LocalCopies(environment.home / "copies").remove_all()
        made = done(entry, *_said(environment, mesh, known, found, words))
        environment.attestor.certify(name_of(made), made.statement())
    return made, told


def again(
    environment: Environment, mesh: Mesh, by: str, copy: Path | None = None
) -> list[tuple[Erasure, list[tuple[Known, tuple[Version, ...]]]]]:
    """Apply the journal once more, with the entries in the folder `copy`: after a restore, after a death,
    or because an erased subject arrived again. One certificate a kind of which anybody was found."""
    place, keys, made = _kept(environment), hmac_keys(environment), []
    if copy is not None:
        _take_over(place, copy)
    entries = journal(place)
    for kind in sorted({entry.kind for entry in entries}):
        of_kind = [entry for entry in entries if entry.kind == kind]
        subjects = {subject for entry in of_kind for subject in entry.subjects}
        known = who_knew(environment, mesh, kind)
        who = recognise(environment, known, Recogniser(keys, kind, subjects))
        if who.values:
            named = ", ".join(sorted(e.id for e in of_kind if _has(e, keys, who)))
            made.append(erase(environment, mesh, who, by, f"applied again: {named}"))
        for entry in _open(place):
            if entry.kind == kind:  # nothing of it is left, or it was erased just now
                why = "its keys were not given again: text outside of columns was not searched"
                ended = done(entry, (), derived(mesh, known), [why])
                environment.attestor.certify(name_of(ended), ended.statement())
    return made


def _kept(environment: Environment) -> KeptAttestations:
    place = environment.attestor.place
    assert place is not None, "an environment keeps attestations"
    return place


def _open(place: KeptAttestations) -> list[Erasure]:
    return [entry for entry in journal(place) if entry.done_at is None]


def _unfinished(place: KeptAttestations, kind: str, subjects: set[str]) -> Erasure | None:
    same = (e for e in _open(place) if e.kind == kind and set(e.subjects) == subjects)
    return next(same, None)


def _has(entry: Erasure, keys: Keys, who: Subjects) -> bool:
    return any(hashed(keys, who.kind, value) in entry.subjects for value in who.values)


def _take_over(place: KeptAttestations, copy: Path) -> None:
    """Raises `UnknownSubject` for a folder without entries."""
    found = sorted(copy.glob("erasure-*.json"))
    if not found:
        raise UnknownSubject(f"{copy} holds no entry of the journal (erasure-….json)")
    for file in found:
        content = file.read_bytes()
        try:
            entry = read_entry(content)
        except BrokenEnvelope as problem:
            raise UnknownSubject(f"{file}: {problem}") from problem
        place.keep(name_of(entry), content)


def _read_from(
    environment: Environment, known: Known, who: Subjects, erasure: str, *, dry_run: bool = False
) -> Iterator[Place]:
    """What products are made of: landed files, and rejected rows of production and of branches."""
    for obj in erase_in_landing(environment, known, who, dry_run=dry_run):
        yield _place(known, "landing", obj.key, obj.rows, problem=obj.problem)
    for branch, quarantine in _quarantines(environment):
        for entry in erase_in_quarantine(quarantine, known, who, erasure, dry_run=dry_run):
            yield _place(known, "quarantine", entry.id, entry.rows, branch, entry.problem)


def _quarantines(environment: Environment) -> Iterator[tuple[str, Quarantine]]:
    """Production's, and each branch's own without production's beneath it."""
    from shared_resources.governance.quarantine.folder import QuarantineFolder

    yield "", environment.quarantine
    for branch in Branches(environment.state).all():
        home = environment.home / BRANCHES / branch.name
        yield branch.name, Quarantine(QuarantineFolder(home / "quarantine"))


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


def _said(
    environment: Environment,
    mesh: Mesh,
    known: Sequence[Known],
    found: Sequence[Place],
    words: Words,
) -> tuple[list[Place], list[str], list[str]]:
    """What the certificate says: where rows were taken from, what is derived, what is left."""
    places = _cleaned(found, words)
    left = [
        f"{one['place']} {one['what']} of {one['product']}: {one['problem']}"
        for one in places
        if one.get("problem")
    ]
    if environment.database_url is not None:
        left.append(_STAYS_IN_POSTGRES)
    return [one for one in places if not one.get("problem")], derived(mesh, known), left


def _cleaned(found: Sequence[Place], words: Words) -> list[Place]:
    """Each place once, in words that name nobody."""
    cleaned = [
        {name: words.out_of(v) if isinstance(v, str) else v for name, v in one.items()}
        for one in found
    ]
    return [one for number, one in enumerate(cleaned) if one not in cleaned[:number]]
