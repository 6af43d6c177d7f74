"""The envelopes of one product in one store, each read and judged once.

Belongs here: a version's attestation with those that it supersedes, checkpoints of expired versions,
the note of the newest. Does not belong here: how they hang together (`chain.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from shared_resources.attesting.differences import Difference
from shared_resources.attesting.signatures import Signed, Trusted, judge
from shared_resources.evidence import kept
from shared_resources.evidence.envelope import BrokenEnvelope, Envelope, read_envelope
from shared_resources.evidence.kept import KeptAttestations
from shared_resources.evidence.statement import (
    OF_EXPIRY,
    OF_NEWEST,
    OF_VERSION,
    STATEMENT,
    canonical,
)


@dataclass(frozen=True)
class Attested:
    """An envelope that was read. `predicate` is empty where there is nothing that can be read."""

    number: int
    digest: str
    where: str
    envelope: Envelope | None = None
    predicate: Mapping[str, Any] = field(default_factory=dict)
    signed: Signed = Signed.NOT
    differences: tuple[Difference, ...] = ()

    @property
    def previous(self) -> Mapping[str, Any] | None:
        found = self.predicate.get("previous")
        return found if isinstance(found, dict) else None

    @property
    def supersedes(self) -> str | None:
        found = self.predicate.get("supersedes")
        return str(found) if found else None


class Envelopes:
    """`trusted` are the public keys by id, None for none (`signatures.py`)."""

    def __init__(self, place: KeptAttestations, product: str, store: str, trusted: Trusted) -> None:
        self.product = product
        self.store = store
        self._place = place
        self._trusted = trusted
        self._read: dict[tuple[int, str], Attested] = {}

    @property
    def trusts_keys(self) -> bool:
        return self._trusted is not None

    def difference(self, version: int | None, kind: str, where: str, message: str) -> Difference:
        return Difference(self.product, self.store, version, kind, where, message)

    def of(self, number: int, digest: str) -> Attested:
        """The attestation of that digest of version `number`."""
        if (number, digest) not in self._read:
            self._read[number, digest] = self._of(number, digest)
        return self._read[number, digest]

    def line(self, number: int, digest: str) -> list[Attested]:
        """The version's attestation, then those from before it was compacted."""
        found: list[Attested] = []
        following: str | None = digest
        while following is not None and following not in [one.digest for one in found]:
            found.append(self.of(number, following))
            following = found[-1].supersedes
        return found

    @cached_property
    def newest(self) -> Attested | None:
        """What was said last of the newest version; None where nothing was."""
        name = kept.newest_name(self.product, self.store)
        text = self._place.read(name)
        if text is None:
            return None
        found = self._judged(0, "", name, text, OF_NEWEST)
        said = found.predicate.get("newest")
        if not isinstance(said, dict):
            return found
        return Attested(
            int(said["version"]),
            str(said["attestation"]),
            name,
            found.envelope,
            found.predicate,
            found.signed,
            found.differences,
        )

    @cached_property
    def checkpoints(self) -> list[Attested]:
        names = filter(
            kept.is_checkpoint, self._place.names(kept.folder_of(self.product, self.store))
        )
        found = []
        for name in names:
            digest = name.rpartition("expired-")[2].removesuffix(".json")
            text = self._place.read(name) or b""
            found.append(self._judged(0, digest, name, text, OF_EXPIRY))
        return found

    @cached_property
    def expired(self) -> dict[int, set[str]]:
        """The attestations of versions that checkpoints say expired, by number; of those that went
        together, since there were too many, the last one's."""
        found: dict[int, set[str]] = {}
        for gone in self._gone:
            line = {str(gone["attestation"]), *map(str, gone.get("superseded", ()))}
            found.setdefault(int(gone["version"]), set()).update(line)
        return found

    def is_thinned(self, number: int) -> bool:
        """Whether the version went among others of which only the last one's attestation is kept."""
        return any(one.get("from", one["version"]) <= number < one["version"] for one in self._gone)

    @cached_property
    def _gone(self) -> list[dict[str, Any]]:
        sound = [one.predicate for one in self.checkpoints if not one.differences]
        return [gone for predicate in sound for gone in predicate.get("expired", [])]

    def _of(self, number: int, digest: str) -> Attested:
        name = kept.envelope_name(self.product, self.store, number, digest)
        text = self._place.read(name)
        if text is None:
            message = f"its attestation {digest[:12]}… is not kept: {name} is not there"
            lost = self.difference(number, "envelope-missing", name, message)
            return Attested(number, digest, name, differences=(lost,))
        return self._judged(number, digest, name, text, OF_VERSION)

    def _judged(self, number: int, digest: str, where: str, text: bytes, kind: str) -> Attested:
        version = number or None
        try:
            envelope = read_envelope(text)
            statement = envelope.statement
        except BrokenEnvelope as problem:
            broken = self.difference(version, "envelope-broken", where, f"{where}: {problem}")
            return Attested(number, digest, where, differences=(broken,))
        if digest and envelope.digest != digest:
            message = (
                f"{where} holds another statement (SHA-256 {envelope.digest[:12]}…) than {digest[:12]}…, "
                "which was committed"
            )
            other = self.difference(version, "envelope-changed", where, message)
            return Attested(number, digest, where, envelope, differences=(other,))
        predicate = statement["predicate"]
        problems = []
        if why := self._is_another(statement, number, kind):
            problems.append(
                self.difference(version, "statement-of-another", where, f"{where} {why}")
            )
        signed, what, why = judge(envelope, predicate.get("signedBy"), self._trusted)
        if what:
            problems.append(self.difference(version, what, where, f"{where}: {why}"))
        return Attested(number, digest, where, envelope, predicate, signed, tuple(problems))

    def _is_another(self, statement: Mapping[str, Any], number: int, kind: str) -> str:
        if statement.get("_type") != STATEMENT or statement.get("predicateType") != kind:
            return f"holds a statement of {statement.get('predicateType')}, not {kind}"
        predicate = statement["predicate"]
        wanted = (self.product, self.store, number) if number else (self.product, self.store)
        said = (predicate.get("product"), predicate.get("store"), predicate.get("version"))
        if said[: len(wanted)] != wanted:
            shown = canonical([part for part in said if part is not None]).decode()
            return f"is the statement of {shown}, not of {canonical(list(wanted)).decode()}"
        return ""
