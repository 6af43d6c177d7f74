"""Which erasures are made: a new one, one that died, and the journal applied again.

Belongs here: finding the entry to go on with, recognising whom the journal knows, taking over a copy of
it. Does not belong here: carrying one out (`carrying_out.py`), the journal's form
(`evidence/erasures.py`).

The journal comes first, by which every publication of what was read before is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from shared_resources.access.masking_key import hmac_keys
from shared_resources.environment import Environment
from shared_resources.erasing.carrying_out import Place, Told, carry_out, forget_pending, planned
from shared_resources.erasing.in_text import Words
from shared_resources.erasing.knowing import who_holds, who_knew
from shared_resources.erasing.recognising import Recogniser, recognise
from shared_resources.erasing.subjects import (
    Subjects,
    UnknownSubject,
    choose_kind,
    subjects_of,
)
from shared_resources.evidence.envelope import BrokenEnvelope, read_envelope
from shared_resources.evidence.erasures import (
    PENDING,
    Erasure,
    begin,
    erasure_in,
    hashed,
    journal,
    name_of,
)
from shared_resources.evidence.kept import KeptAttestations
from shared_resources.mesh.model import Mesh


@dataclass(frozen=True)
class Again:
    """What applying the journal came to: erasures, and what could not be looked at, so that nobody knows
    whether somebody of the journal is in it."""

    made: list[tuple[Erasure, Told]]
    unread: list[str]


def asked_for(environment: Environment, mesh: Mesh, kind: str | None, given: list[str]) -> Subjects:
    """Those of the keys. Raises `UnknownSubject` where contracts declare no such kind or key."""
    contracts = who_holds(environment, mesh).contracts
    return subjects_of(contracts, choose_kind(contracts, kind), given)


def plan(environment: Environment, mesh: Mesh, who: Subjects) -> list[Place]:
    """What an erasure would find: nothing is changed, and nothing noted."""
    return planned(environment, who_holds(environment, mesh), who)


def erase(
    environment: Environment, mesh: Mesh, who: Subjects, by: str, reason: str
) -> tuple[Erasure, Told]:
    """Erase them everywhere; the certificate, and the versions by which readers learn of it.

    One that died before its end is gone on with, under its own id, when it is asked for again.
    """
    place, keys = _kept(environment), hmac_keys(environment)
    with environment.state.lock("erase"):
        subjects = {hashed(keys, who.kind, value) for value in who.values}
        entry = _unfinished(place, who.kind, subjects)
        entry = entry or begin(who.kind, subjects, by, Words(who.said).out_of_own(reason))
        _certify(environment, entry)
        return carry_out(environment, mesh, who_holds(environment, mesh), who, entry)


def again(environment: Environment, mesh: Mesh, by: str, copy: Path | None = None) -> Again:
    """Apply the journal once more, with the entries in the folder `copy`: after a restore, after a death,
    or because an erased subject arrived again. One certificate an erasure that died, and one a kind of
    which anybody else was found."""
    place, keys = _kept(environment), hmac_keys(environment)
    made: list[tuple[Erasure, Told]] = []
    unread: list[str] = []
    if copy is not None:
        _take_over(place, copy)
    entries = journal(place)
    for kind in sorted({entry.kind for entry in entries}):
        of_kind = [entry for entry in entries if entry.kind == kind]
        subjects = {subject for entry in of_kind for subject in entry.subjects}
        holding = who_holds(environment, mesh)
        known = who_knew(environment, holding.contracts, kind)
        who, problems = recognise(environment, known, Recogniser(keys, kind, subjects))
        unread += [one for one in problems if one not in unread]
        hashes = {value: hashed(keys, kind, value) for value in who.values}
        for entry in (one for one in of_kind if one.done_at is None):
            own = {value for value, one in hashes.items() if one in entry.subjects}
            hashes = {value: one for value, one in hashes.items() if value not in own}
            some = Subjects(kind, frozenset(own))
            with environment.state.lock("erase"):
                made.append(carry_out(environment, mesh, holding, some, entry))
        if hashes:
            them = set(hashes.values())
            named = ", ".join(sorted(e.id for e in of_kind if them & set(e.subjects)))
            rest = Subjects(kind, frozenset(hashes))
            made.append(erase(environment, mesh, rest, by, f"applied again: {named}"))
    return Again(made + _ended(environment, entries), unread)


def _ended(environment: Environment, entries: list[Erasure]) -> list[tuple[Erasure, Told]]:
    """Those that were done but for what a bucket has kept of landed objects, which is gone now."""
    made: list[tuple[Erasure, Told]] = []
    for entry in entries:
        if entry.done_at is not None and any(place.get(PENDING) for place in entry.places):
            ended = replace(forget_pending(environment, entry), done_at=datetime.now(UTC))
            _certify(environment, ended)
            made.append((ended, []))
    return made


def _certify(environment: Environment, entry: Erasure) -> None:
    environment.attestor.certify(lambda digest: name_of(entry, digest), entry.statement())


def _kept(environment: Environment) -> KeptAttestations:
    place = environment.attestor.place
    assert place is not None, "an environment keeps attestations"
    return place


def _unfinished(place: KeptAttestations, kind: str, subjects: set[str]) -> Erasure | None:
    opened = (entry for entry in journal(place) if entry.done_at is None)
    return next((e for e in opened if e.kind == kind and set(e.subjects) == subjects), None)


def _take_over(place: KeptAttestations, copy: Path) -> None:
    """Raises `UnknownSubject` for a folder without entries."""
    found = sorted(copy.glob("erasure-*.json"))
    if not found:
        raise UnknownSubject(f"{copy} holds no entry of the journal (erasure-….json)")
    for file in found:
        content = file.read_bytes()
        try:
            envelope = read_envelope(content)
            entry = erasure_in(envelope)
        except BrokenEnvelope as problem:
            raise UnknownSubject(f"{file}: {problem}") from problem
        place.keep(name_of(entry, envelope.digest), content)
