"""The journal of erasures: what was to be forgotten, known by a keyed hash alone, and the certificate.

Belongs here: an entry's form, keeping it with the attestations, finding entries again.
Does not belong here: erasing (`shared_resources/erasing/`), the key of the hash
(`access/masking_key.py`).

An entry is kept twice: when the erasure begins, so that whoever dies is followed by one who
finishes, and when it is done, with what left which version: that is the certificate. Neither holds
a value. A subject is an HMAC of its kind and key: who has the mesh's masking key recognises it when
it comes back with an older copy of the mesh, and nobody else learns from it who it was.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from shared_resources.evidence.envelope import BrokenEnvelope, Envelope, read_envelope
from shared_resources.evidence.kept import KeptAttestations
from shared_resources.evidence.statement import STATEMENT
from shared_resources.problems import MeshProblem

OF_ERASURE = "urn:dagster-data-mesh:erasure:v1"
FOLDER = "erasures"
# Of a place: rows were about to leave it, and what lay there before may still be kept beside it.
PENDING = "pending"
_ID = re.compile(r"erasure-[0-9]{8}T[0-9]{6}-[0-9a-f]{8}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TIME = "%Y%m%dT%H%M%S"
_BEGUN, _DONE = "-begun", "-done-"
Keys = tuple[bytes, bytes]


class BrokenJournal(MeshProblem):
    """An entry that cannot be read; the message names its file and what to do."""


@dataclass(frozen=True)
class Erasure:
    """One erasure. `subjects` are the keyed hashes of its keys, `done_at` is None until it is done.

    `places` are what was found and done where, as JSON values without any value of a subject; `derived`
    the products that are made from such rows and hold none; `left` what could not be erased, `notes`
    what lies beyond the mesh's reach. `text_searched`: by all of its keys, which no entry holds.
    """

    id: str
    kind: str
    subjects: tuple[str, ...]
    by: str
    reason: str
    begun_at: datetime
    done_at: datetime | None = None
    places: tuple[Mapping[str, Any], ...] = ()
    derived: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    text_searched: bool = False

    def statement(self) -> dict[str, Any]:
        """The certificate: an in-toto statement whose subject is the erasure."""
        digest = hashlib.sha256("\n".join([self.kind, *sorted(self.subjects)]).encode()).hexdigest()
        return {
            "_type": STATEMENT,
            "subject": [{"name": f"erasure {self.id}", "digest": {"sha256": digest}}],
            "predicateType": OF_ERASURE,
            "predicate": {
                "id": self.id,
                "kind": self.kind,
                "subjects": sorted(self.subjects),
                "by": self.by,
                "reason": self.reason,
                "begunAt": self.begun_at.isoformat(),
                "doneAt": self.done_at.isoformat() if self.done_at else None,
                "places": [dict(place) for place in self.places],
                "derived": list(self.derived),
                "left": list(self.left),
                "notes": list(self.notes),
                "textSearched": self.text_searched,
            },
        }


def begin(kind: str, subjects: Collection[str], by: str, reason: str) -> Erasure:
    now = datetime.now(UTC)
    id_ = f"erasure-{now:{_TIME}}-{secrets.token_hex(4)}"
    return Erasure(id_, kind, tuple(sorted(subjects)), by, reason, now)


def done(
    erasure: Erasure,
    places: Sequence[Mapping[str, Any]],
    derived: Sequence[str],
    left: Sequence[str],
    notes: Sequence[str] = (),
) -> Erasure:
    return replace(
        erasure,
        done_at=datetime.now(UTC),
        places=tuple(places),
        derived=tuple(derived),
        left=tuple(left),
        notes=tuple(notes),
    )


def name_of(erasure: Erasure, digest: str) -> str:
    """Under which an entry is kept: what was begun stays beside what was done, by the digest of its
    statement, so that a certificate that was edited is not the one that it is called."""
    end = f"{_DONE}{erasure.done_at:{_TIME}}-{digest}" if erasure.done_at else _BEGUN
    return f"{FOLDER}/{erasure.id}{end}.json"


def names_of(names: Iterable[str], id_: str) -> tuple[str, tuple[str, ...]]:
    """Of the journal's `names` those of one erasure: where it was begun, and its certificates, the
    newest last."""
    certificates = [name for name in names if name.startswith(f"{FOLDER}/{id_}{_DONE}")]
    return f"{FOLDER}/{id_}{_BEGUN}.json", tuple(sorted(certificates))


def digest_in(name: str) -> str | None:
    """The digest that a certificate's name says; None of one from before names said it."""
    digest = name.removesuffix(".json").rpartition("-")[2]
    return digest if _DIGEST.fullmatch(digest) else None


def journal(place: KeptAttestations) -> list[Erasure]:
    """Every erasure as far as it is, oldest first. Raises `BrokenJournal` for an entry that is none."""
    found: dict[str, Erasure] = {}
    for name in place.names(FOLDER):  # `begun` comes before `done`
        one = _kept(place, name)
        found[one.id] = one
    return sorted(found.values(), key=lambda one: (one.begun_at, one.id))


def kinds_since(place: KeptAttestations, moment: datetime) -> set[str]:
    """The kinds of subject of which any was being erased at the moment, or was since.

    No entry is read but these: names tell what is done, and when.
    """
    names = [name.removesuffix(".json") for name in place.names(FOLDER)]
    ended = [name.rpartition(_DONE) for name in names if _DONE in name]
    since = f"{moment.astimezone(UTC):{_TIME}}"
    begun = {name.removesuffix(_BEGUN) for name in names if name.endswith(_BEGUN)}
    wanted = [f"{id_}{_DONE}{time}" for id_, _, time in ended if time >= since]
    wanted += [f"{id_}{_BEGUN}" for id_ in begun - {id_ for id_, _, _ in ended}]
    return {_kept(place, f"{name}.json").kind for name in wanted}


def _kept(place: KeptAttestations, name: str) -> Erasure:
    try:
        return erasure_in(read_envelope(place.read(name) or b""))
    except BrokenEnvelope as problem:
        raise BrokenJournal(
            f"the journal of erasures is damaged: attestations/{name}: {problem}. Put the file back from "
            "a copy; without one, remove it and erase again whom it was about"
        ) from problem


def erasure_in(envelope: Envelope) -> Erasure:
    """Raises `BrokenEnvelope`."""
    statement = envelope.statement
    if statement.get("predicateType") != OF_ERASURE:
        raise BrokenEnvelope(
            f"it is a statement of {statement.get('predicateType')}, of no erasure"
        )
    said = statement["predicate"]
    try:
        if not _ID.fullmatch(str(said["id"])):
            raise ValueError("an id names a file")
        return Erasure(
            str(said["id"]),
            str(said["kind"]),
            tuple(map(str, said["subjects"])),
            str(said["by"]),
            str(said["reason"]),
            datetime.fromisoformat(said["begunAt"]),
            datetime.fromisoformat(said["doneAt"]) if said["doneAt"] else None,
            tuple(said["places"]),
            tuple(map(str, said["derived"])),
            tuple(map(str, said["left"])),
            tuple(map(str, said.get("notes", ()))),
            bool(said.get("textSearched", False)),
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise BrokenEnvelope(f"it is no whole entry ({type(problem).__name__})") from problem


def hashed(keys: Keys, kind: str, value: str) -> str:
    """The keyed hash of a subject: HMAC with SHA-256, and not that of any mask."""
    inner, outer = keys
    message = f"erasure\0{kind}\0{value}".encode()
    return hashlib.sha256(outer + hashlib.sha256(inner + message).digest()).hexdigest()
