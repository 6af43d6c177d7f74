"""Whether a product's versions are those that were published, in their order.

Belongs here: each version's link to the one before, what expiry took, what is missing.
Does not belong here: reading envelopes (`envelopes.py`), what a version consists of (`contents.py`).

A version's statement holds the digest of the statement before it. So whoever changes, removes or
reorders one has to change all that follow, and those are signed. The newest is followed by none: that
it was there is noted beside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from shared_resources.attesting.differences import Difference
from shared_resources.attesting.envelopes import Attested, Envelopes
from shared_resources.attesting.signatures import Signed
from shared_resources.evidence.keys import ATTESTATION
from shared_resources.stores.protocol import Version


def chain_differences(envelopes: Envelopes, versions: Sequence[Version]) -> list[Difference]:
    """What is wrong with the order of `versions`, which are all kept ones, oldest first."""
    found = [one for checkpoint in envelopes.checkpoints for one in checkpoint.differences]
    for version in versions:
        found += _of_version(envelopes, versions, version)
    found += _missing_newest(envelopes, versions)
    found += _unsigned(envelopes, versions)
    return found


def attestation_of(version: Version) -> str | None:
    return version.properties.get(ATTESTATION)


def _of_version(
    envelopes: Envelopes, versions: Sequence[Version], version: Version
) -> Iterator[Difference]:
    digest = attestation_of(version)
    earlier = [v for v in versions if v.number < version.number]
    if digest is None:
        attested = [v.number for v in earlier if attestation_of(v)]
        attested += [number for number in envelopes.expired if number < version.number]
        if attested:
            yield envelopes.difference(
                version.number,
                "attestation-missing",
                ATTESTATION,
                f"it has no attestation, and version {max(attested)} before it has one",
            )
        return
    line = envelopes.line(version.number, digest)
    for one in line:
        yield from one.differences
    if line[0].predicate:
        yield from _of_link(envelopes, earlier, line[0])
    for newer, older in pairwise(line):
        if older.predicate and newer.previous != older.previous:
            yield envelopes.difference(
                version.number,
                "chain-broken",
                newer.where,
                f"{newer.where} is linked to another version than {older.where}, which it supersedes",
            )


def _of_link(
    envelopes: Envelopes, earlier: Sequence[Version], attested: Attested
) -> Iterator[Difference]:
    """`earlier` are the kept versions before the one that is attested."""
    number, link = attested.number, attested.previous
    gone = [n for n in envelopes.expired if n < number]
    last = max([v.number for v in earlier] + gone, default=0)

    def difference(kind: str, message: str) -> Difference:
        return envelopes.difference(number, kind, attested.where, message)

    if link is None:
        if last:
            yield difference(
                "chain-broken", f"it was the first version, and version {last} is before it"
            )
        return
    before, digest = int(link["version"]), link["attestation"]
    if last > before:
        yield difference(
            "version-foreign",
            f"it was made on top of version {before}, and version {last} lies in between",
        )
    kept = next((v for v in earlier if v.number == before), None)
    if kept is not None:
        found = attestation_of(kept)
        if found != digest and not _erased_since(envelopes, before, digest, found):
            yield difference("chain-broken", _other(before, digest, found))
    elif before in envelopes.expired:
        if digest not in envelopes.expired[before]:
            noted = min(envelopes.expired[before])
            yield difference("chain-broken", _other(before, digest, noted))
    elif digest is not None:
        yield difference(
            "version-missing",
            f"it was made on top of version {before} (attestation {digest[:12]}…), which is not kept, "
            "and which no expiry removed",
        )


def _erased_since(envelopes: Envelopes, number: int, digest: str | None, found: str | None) -> bool:
    """Whether erasures alone lie between the two attestations of a version; where keys are trusted,
    erasures that somebody signed: no later version vouches for them."""
    line = envelopes.line(number, found) if found and digest else []
    digests = [one.digest for one in line]
    if digest not in digests:
        return False
    since = line[: digests.index(digest)]
    return all(
        one.predicate.get("kind") == "erasure"
        and not (envelopes.trusts_keys and one.signed is Signed.NOT)
        for one in since
    )


def _other(before: int, wanted: str | None, found: str | None) -> str:
    said, is_ = (f"attestation {d[:12]}…" if d else "no attestation" for d in (wanted, found))
    return f"it was made on top of version {before} with {said}, and that has {is_}"


def _missing_newest(envelopes: Envelopes, versions: Sequence[Version]) -> Iterator[Difference]:
    noted = envelopes.newest
    if noted is None:
        return
    yield from noted.differences
    if not noted.number:
        return
    last = versions[-1] if versions else None
    if last is None or last.number < noted.number:
        has = f"version {last.number}" if last else "none"
        yield envelopes.difference(
            noted.number,
            "version-missing",
            noted.where,
            f"it was published (attestation {noted.digest[:12]}…), and the newest that is kept is {has}",
        )
    elif last.number == noted.number:
        digest = attestation_of(last)
        line = envelopes.line(last.number, digest) if digest else []
        if noted.digest not in [one.digest for one in line]:
            yield envelopes.difference(
                last.number, "chain-broken", noted.where, _noted(noted.digest, digest)
            )


def _noted(noted: str, found: str | None) -> str:
    has = f"it has {found[:12]}…" if found else "it has none"
    return f"it was published with attestation {noted[:12]}…, and {has}"


def _unsigned(envelopes: Envelopes, versions: Sequence[Version]) -> Iterator[Difference]:
    """Where keys are trusted: the newest versions that nobody signed, and no signed one follows."""
    if not envelopes.trusts_keys:
        return
    for version in reversed(versions):
        digest = attestation_of(version)
        if digest is None:
            continue
        attested = envelopes.of(version.number, digest)
        if attested.signed is not Signed.NOT:
            return
        if attested.predicate:
            yield envelopes.difference(
                version.number,
                "unsigned",
                attested.where,
                "nobody signed it, nor a version after it",
            )
