"""What vouches for a version: called by each store at each commit.

Belongs here: the statement of a commit, of a compaction, of an expiry; keeping it before it is named.
Does not belong here: the statement's form (`evidence/statement.py`), what a store's files are
(`snapshots.py`), comparing statements with what is stored (`attesting/`).

A commit that loses against another writer's has left an envelope that no version names: it goes when
the version expires that took its number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared_resources.evidence import kept, keys
from shared_resources.evidence.envelope import BrokenEnvelope, Signer, read_envelope, seal
from shared_resources.evidence.kept import KeptAttestations
from shared_resources.evidence.statement import (
    AttestedFile,
    Gone,
    Link,
    VersionFacts,
    canonical,
    checkpoint,
    newest,
)
from shared_resources.evidence.terms import Terms
from shared_resources.stores.protocol import Version


def no_signer() -> None:
    """Attestations are not signed."""


class Attestor:
    """`place` keeps the envelopes; without one nothing is attested, as in tests of other things."""

    def __init__(
        self,
        place: KeptAttestations | None = None,
        signer: Callable[[], Signer | None] = no_signer,
    ) -> None:
        self._place = place
        self._signer = signer

    @property
    def place(self) -> KeptAttestations | None:
        return self._place

    def keep_terms(self, terms: Terms) -> None:
        """Before a version is committed whose evidence names them."""
        if self._place is not None and self._place.read(kept.terms_name(terms.digest)) is None:
            self._place.keep(kept.terms_name(terms.digest), terms.text())

    def attest(
        self,
        product: str,
        store: str,
        properties: Mapping[str, str],
        files: Callable[[], Sequence[AttestedFile]],
        previous: Mapping[str, str] | None,
    ) -> dict[str, str]:
        """The properties with the attestation of a version that is about to be committed.

        `previous` are those of the store's version before it. Raises `UnusableKey`.
        """
        if self._place is None:
            return dict(properties)
        link = None
        if previous is not None:
            link = Link(int(previous[keys.NUMBER]), previous.get(keys.ATTESTATION))
        facts = VersionFacts(
            product, store, properties, files(), link, terms=self._terms(properties)
        )
        return self._keep(facts)

    def attest_compaction(
        self,
        product: str,
        store: str,
        properties: Mapping[str, str],
        files: Callable[[], Sequence[AttestedFile]],
        same_rows: Mapping[str, int],
    ) -> dict[str, str]:
        """The version's properties with the attestation of its new files, linked to that of the old.

        What nobody attested when it was published is not attested now.
        """
        own = {key: value for key, value in properties.items() if key != keys.ATTESTATION}
        before = properties.get(keys.ATTESTATION)
        return self._superseding(product, store, own, files, before, same_rows=same_rows)

    def attest_erasure(
        self,
        product: str,
        store: str,
        properties: Mapping[str, str],
        files: Callable[[], Sequence[AttestedFile]],
        before: str | None,
        erased: Mapping[str, Any],
    ) -> dict[str, str]:
        """The same of a version that rows were taken from: `erased` says by which erasure, how many.

        `before` is its attestation until then.
        """
        return self._superseding(product, store, properties, files, before, erased=erased)

    def _superseding(
        self,
        product: str,
        store: str,
        own: Mapping[str, str],
        files: Callable[[], Sequence[AttestedFile]],
        before: str | None,
        *,
        same_rows: Mapping[str, int] | None = None,
        erased: Mapping[str, Any] | None = None,
    ) -> dict[str, str]:
        if before is None:
            return dict(own)
        if self._place is None:
            return {**own, keys.ATTESTATION: before}
        facts = VersionFacts(
            product,
            store,
            own,
            files(),
            self._previous_in(product, store, int(own[keys.NUMBER]), before),
            supersedes=before,
            same_rows=same_rows or {},
            terms=self._terms(own),
            erased=erased,
        )
        return self._keep(facts)

    def committed(self, version: Version) -> Version:
        """Say that it is there, so that it is missed when it is gone. The same version again."""
        attestation = version.properties.get(keys.ATTESTATION)
        if self._place is not None and attestation is not None:
            link, signer = Link(version.number, attestation), self._signer()
            made = newest(version.product, version.store, link, _id(signer))
            name = kept.newest_name(version.product, version.store)
            self._place.keep(name, seal(canonical(made), signer).written())
        return version

    def expiring(
        self, product: str, store: str, versions: Sequence[Version], *, in_runs: bool = False
    ) -> None:
        """Before versions expire: keep the number and the attestation of each; `in_runs` of each run of
        numbers the last one's, to which the version after it is linked, and the digest of all."""
        attested = [v for v in versions if keys.ATTESTATION in v.properties]
        if self._place is None or not attested:
            return
        signer = self._signer()
        runs = runs_of(attested) if in_runs else [[version] for version in attested]
        gone = [
            Gone(
                run[-1].number,
                self._line(product, store, run[-1]),
                run[-1].published_at.isoformat(),
                [(v.number, v.properties[keys.ATTESTATION]) for v in run],
            )
            for run in runs
        ]
        envelope = seal(canonical(checkpoint(product, store, gone, _id(signer))), signer)
        self._place.keep(kept.checkpoint_name(product, store, envelope.digest), envelope.written())

    def expired(self, product: str, store: str, versions: Sequence[Version]) -> None:
        """After they have: remove their envelopes."""
        if self._place is None or not versions:
            return
        numbers = {version.number for version in versions}
        names = self._place.names(kept.folder_of(product, store))
        gone = [n for n in names if any(kept.is_of_version(n, number) for number in numbers)]
        self._place.remove(gone)

    def certify(self, name: Callable[[str], str], statement: dict[str, Any]) -> None:
        """Keep a statement about more than one version, signed as those of versions are, under the name
        that is given for its digest."""
        if self._place is not None:
            signer = self._signer()
            statement["predicate"]["signedBy"] = _id(signer)
            envelope = seal(canonical(statement), signer)
            self._place.keep(name(envelope.digest), envelope.written())

    def forget(self, product: str, store: str) -> None:
        """The product is gone from the store, as when a branch is dropped."""
        if self._place is not None:
            self._place.remove(self._place.names(kept.folder_of(product, store)))

    def _keep(self, facts: VersionFacts) -> dict[str, str]:
        assert self._place is not None
        signer = self._signer()
        statement = facts.statement()
        statement["predicate"]["signedBy"] = _id(signer)
        envelope = seal(canonical(statement), signer)
        name = kept.envelope_name(facts.product, facts.store, facts.number, envelope.digest)
        self._place.keep(name, envelope.written())
        return dict(facts.properties) | {keys.ATTESTATION: envelope.digest}

    def _terms(self, properties: Mapping[str, str]) -> Mapping[str, Any] | None:
        """None of a version whose terms nobody kept: of an earlier release, or made otherwise."""
        digest = properties.get(keys.TERMS)
        text = None
        if digest is not None and self._place is not None:
            text = self._place.read(kept.terms_name(digest))
        found = json.loads(text) if text is not None else None
        return found if isinstance(found, dict) else None

    def _line(self, product: str, store: str, version: Version) -> list[str]:
        """The version's attestation, then those of it before it was compacted."""
        line: list[str] = []
        digest: str | None = version.properties[keys.ATTESTATION]
        while digest is not None and digest not in line:
            line.append(digest)
            digest = self._predicate(product, store, version.number, digest).get("supersedes")
        return line

    def _previous_in(self, product: str, store: str, number: int, digest: str) -> Link | None:
        said = self._predicate(product, store, number, digest).get("previous")
        return Link(int(said["version"]), said["attestation"]) if said else None

    def _predicate(self, product: str, store: str, number: int, digest: str) -> Mapping[str, Any]:
        """What an envelope says; nothing where it is broken, which verifying finds."""
        assert self._place is not None
        text = self._place.read(kept.envelope_name(product, store, number, digest))
        try:
            found: Mapping[str, Any] = read_envelope(text or b"").statement["predicate"]
        except BrokenEnvelope:
            return {}
        return found


def runs_of(versions: Sequence[Version]) -> list[list[Version]]:
    """Versions, oldest first, together where no number is missing between them."""
    runs: list[list[Version]] = []
    for version in versions:
        if runs and runs[-1][-1].number + 1 == version.number:
            runs[-1].append(version)
        else:
            runs.append([version])
    return runs


def _id(signer: Signer | None) -> str | None:
    return signer.key_id if signer is not None else None


NOT_ATTESTING = Attestor()
