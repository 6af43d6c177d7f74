"""Whether an erasure that a version names is in the journal, whole, and says what the version says.

Belongs here: reading an erasure's entry and certificate once, judging them, comparing them with versions.
Does not belong here: the journal's form (`evidence/erasures.py`), erasing (`shared_resources/erasing/`).

A version that lost rows is attested with the erasure's name and the number of rows. Whose rows, who asked
and why, and what was left, the certificate alone says: so it must be there, and be what was kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from shared_resources.attesting.differences import Difference
from shared_resources.attesting.envelopes import Attested, Envelopes
from shared_resources.attesting.signatures import Signed, Trusted, judge
from shared_resources.evidence.envelope import BrokenEnvelope, read_envelope
from shared_resources.evidence.erasures import (
    FOLDER,
    Erasure,
    digest_in,
    erasure_in,
    name_of,
    names_of,
)
from shared_resources.evidence.kept import KeptAttestations
from shared_resources.stores.erased import erasures_of
from shared_resources.stores.protocol import Version

_Problem = tuple[str, str, str]  # the kind of difference, where, what differs


@dataclass(frozen=True)
class Certificate:
    """What the journal has of one erasure. `said` is None where no certificate can be read."""

    where: str
    said: Erasure | None = None
    signed: Signed = Signed.NOT
    problems: tuple[_Problem, ...] = ()


class Certificates:
    """The journal of erasures, each entry read once. `trusted` are public keys (`signatures.py`)."""

    def __init__(self, place: KeptAttestations, trusted: Trusted) -> None:
        self._place = place
        self._trusted = trusted
        self._read: dict[str, Certificate] = {}

    def of(self, id_: str) -> Certificate:
        if id_ not in self._read:
            self._read[id_] = self._of(id_)
        return self._read[id_]

    def differences(
        self, envelopes: Envelopes, version: Version, attested: Attested | None
    ) -> Iterator[Difference]:
        """What is wrong with the erasures that took rows from the version."""
        for id_ in dict.fromkeys(id_ for id_, _ in erasures_of(version.properties)):
            certificate = self.of(id_)
            for kind, where, message in (
                *certificate.problems,
                *_unlike(version, id_, certificate),
                *_less_signed(envelopes, version, attested, id_, certificate),
            ):
                yield envelopes.difference(version.number, kind, where, message)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self._place.names(FOLDER))

    def _of(self, id_: str) -> Certificate:
        begun_at, done_at = names_of(self._names, id_)
        begun = self._judged(id_, begun_at) if begun_at in self._names else None
        problems: list[_Problem] = []
        if begun is None:
            message = f"the journal has no entry of {id_}: {begun_at} is not there"
            problems.append(("journal-missing", begun_at, message))
        if not done_at:
            message = (
                f"{id_} has no certificate: it is being made, or died (`mesh erase --again` ends it), "
                "or its certificate was removed"
            )
            problems.append(("certificate-missing", begun_at, message))
            return Certificate(begun_at, problems=(*problems, *(begun.problems if begun else ())))
        found = self._judged(id_, done_at[-1])
        problems += [*(begun.problems if begun else ()), *found.problems]
        if begun and begun.said and found.said and _core(begun.said) != _core(found.said):
            message = f"{found.where} says of {id_} otherwise than the journal's entry {begun_at}"
            problems.append(("certificate-changed", found.where, message))
        return Certificate(found.where, found.said, found.signed, tuple(problems))

    def _judged(self, id_: str, name: str) -> Certificate:
        try:
            envelope = read_envelope(self._place.read(name) or b"")
            said = erasure_in(envelope)
        except BrokenEnvelope as problem:
            return Certificate(name, problems=(("certificate-broken", name, f"{name}: {problem}"),))
        problems: list[_Problem] = []
        if said.id != id_:
            other = f"{name} is the certificate of {said.id}, not of {id_}"
            problems.append(("certificate-of-another", name, other))
        elif envelope.digest != (digest_in(name) or envelope.digest):
            changed = (
                f"{name} holds another statement (SHA-256 {envelope.digest[:12]}…) than it was"
            )
            problems.append(("certificate-changed", name, changed))
        elif envelope.statement.get("subject") != said.statement()["subject"] or (
            digest_in(name) and name_of(said, envelope.digest) != name
        ):
            changed = f"{name} lists others, or another time, than those whom it is about"
            problems.append(("certificate-changed", name, changed))
        signed_by = envelope.statement["predicate"].get("signedBy")
        signed, what, why = judge(envelope, signed_by, self._trusted)
        if what:
            problems.append((what, name, f"{name}: {why}"))
        return Certificate(name, said, signed, tuple(problems))


def _core(said: Erasure) -> tuple[object, ...]:
    """What was known when it was begun, and does not change."""
    return said.kind, sorted(said.subjects), said.by, said.reason, said.begun_at


def _unlike(version: Version, id_: str, certificate: Certificate) -> Iterator[_Problem]:
    """Rows that left the version, of which the certificate says nothing, or another number."""
    if certificate.said is None or certificate.said.done_at is None:
        return
    what = f"version {version.number}"
    places = [
        place
        for place in certificate.said.places
        if (place.get("product"), place.get("place"), place.get("what"))
        == (version.product, version.store, what)
        and not place.get("branch")
    ]
    counted = sorted({int(place["rows"] or 0) for place in places})
    for rows in (rows for one, rows in erasures_of(version.properties) if one == id_ and rows):
        if rows not in counted:
            says = " and ".join(f"{one:,}" for one in counted) or "none"
            message = (
                f"it says that {rows:,} rows left it by {id_}, and the certificate {certificate.where} "
                f"says {says}"
            )
            yield "erasure-differs", certificate.where, message


def _less_signed(
    envelopes: Envelopes,
    version: Version,
    attested: Attested | None,
    id_: str,
    certificate: Certificate,
) -> Iterator[_Problem]:
    """A certificate that nobody signed, of an erasure whose versions somebody did."""
    if attested is None or certificate.said is None or certificate.signed is not Signed.NOT:
        return
    line = envelopes.line(version.number, attested.digest)
    own = (one for one in line if (one.predicate.get("erased") or {}).get("erasure") == id_)
    if next(own, attested).signed is not Signed.NOT:
        message = (
            f"nobody signed {certificate.where}, and the version's attestation of it is signed"
        )
        yield "unsigned", certificate.where, message
