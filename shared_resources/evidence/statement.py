"""What is attested of a version: an in-toto Statement whose subjects are the version and its files.

Belongs here: the statement's form, its digest, what a committed property looks like in it.
Does not belong here: signing it (`envelope.py`), keeping it (`kept.py`), when one is made
(`stores/attested/`), comparing it with what is stored (`attesting/`).

A statement says all that was committed with the version, so that nothing of it can be changed
afterwards, and the digest of the one before it, so that none can be taken out of their order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared_resources.evidence import keys

STATEMENT = "https://in-toto.io/Statement/v1"
OF_VERSION = "urn:dagster-data-mesh:published-version:v1"
OF_EXPIRY = "urn:dagster-data-mesh:expired-versions:v1"
OF_NEWEST = "urn:dagster-data-mesh:newest-version:v1"

# A product of thousands of small files names the batch's own: the others stand in statements before
# it, and the digest of the version covers them all.
MOST_FILES = 128

Statement = Mapping[str, Any]


@dataclass(frozen=True)
class AttestedFile:
    """A file of a version. `partitions` are the rows by partition key that belong to the version;
    `sha256` is None of a file of an earlier release, of which nobody wrote it down.
    """

    name: str
    sha256: str | None
    size: int | None
    partitions: Mapping[str, int]

    @property
    def rows(self) -> int:
        return sum(self.partitions.values())

    @property
    def content(self) -> tuple[str, int, str]:
        """What it must be, wherever it lies: a file that two products share has two names."""
        return self.sha256 or self.name, self.rows, digest_of(dict(self.partitions))


@dataclass(frozen=True)
class Link:
    """An earlier version of the chain; `attestation` is None where it has none."""

    number: int
    attestation: str | None

    def written(self) -> dict[str, Any]:
        return {"version": self.number, "attestation": self.attestation}


@dataclass(frozen=True)
class VersionFacts:
    """What a statement says. `properties` are all that is committed, but for the attestation itself.

    `supersedes` is the attestation of the same version before it was compacted, and `same_rows` the
    sums by which its rows were found to be the same. `terms` is what held (`terms.py`), None where
    nobody kept it; `signed_by` the id of the key, None for none. `erased` is the erasure that took rows
    from the version that it supersedes, and how many.
    """

    product: str
    store: str
    properties: Mapping[str, str]
    files: Sequence[AttestedFile]
    previous: Link | None = None
    supersedes: str | None = None
    same_rows: Mapping[str, int] = field(default_factory=dict)
    terms: Mapping[str, Any] | None = None
    signed_by: str | None = None
    erased: Mapping[str, Any] | None = None

    @property
    def number(self) -> int:
        return int(self.properties[keys.NUMBER])

    @property
    def kind(self) -> str:
        if self.erased is not None:
            return "erasure"
        if self.supersedes is not None:
            return "compaction"
        if keys.ROLLBACK_OF in self.properties:
            return "rollback"
        return "promotion" if keys.PROMOTED_FROM in self.properties else "publication"

    def statement(self) -> dict[str, Any]:
        root = digest_of_files(self.files)
        listed = self._listed()
        return {
            "_type": STATEMENT,
            "subject": [
                _subject(f"{self.product}@{self.number} in the {self.store}", root),
                *(_subject(file.name, file.sha256) for file in listed if file.sha256),
            ],
            "predicateType": OF_VERSION,
            "predicate": {
                "product": self.product,
                "store": self.store,
                "version": self.number,
                "kind": self.kind,
                "previous": self.previous.written() if self.previous else None,
                "supersedes": self.supersedes,
                **({"erased": dict(self.erased)} if self.erased is not None else {}),
                "sameRows": {name: str(total) for name, total in self.same_rows.items()} or None,
                "data": {
                    "digest": root,
                    "files": len(self.files),
                    "rows": sum(file.rows for file in self.files),
                    "listed": "all" if len(listed) == len(self.files) else "of the batch",
                    "sizes": {file.name: file.size for file in listed},
                    "rowsOf": {file.name: file.rows for file in listed},
                },
                "committed": structured(self.properties),
                "terms": self.terms,
                "signedBy": self.signed_by,
            },
        }

    def _listed(self) -> Sequence[AttestedFile]:
        if len(self.files) <= MOST_FILES:
            return self.files
        written = json.loads(self.properties.get(keys.FILES, "[]"))
        own = {str(sha256) for *_, sha256 in written}
        return [file for file in self.files if file.sha256 in own]


@dataclass(frozen=True)
class Gone:
    """A version that was removed, or the last of a run of them: its attestation with those of it before
    it was compacted, when it was published, and the number and attestation of each of the run."""

    number: int
    line: Sequence[str]
    published_at: str
    run: Sequence[tuple[int, str]]

    def written(self) -> dict[str, Any]:
        own: dict[str, Any] = {
            "version": self.number,
            "attestation": self.line[0],
            "superseded": list(self.line[1:]),
            "publishedAt": self.published_at,
        }
        if len(self.run) > 1:
            own |= {"from": self.run[0][0], "all": digest_of([list(one) for one in self.run])}
        return own


def checkpoint(
    product: str, store: str, expired: Sequence[Gone], signed_by: str | None
) -> dict[str, Any]:
    """That these versions were removed since they were old, or too many."""
    return {
        "_type": STATEMENT,
        "subject": [
            _subject(f"{product}@{one.number} in the {store}", one.line[0]) for one in expired
        ],
        "predicateType": OF_EXPIRY,
        "predicate": {
            "product": product,
            "store": store,
            "expired": [one.written() for one in expired],
            "signedBy": signed_by,
        },
    }


def newest(product: str, store: str, link: Link, signed_by: str | None) -> dict[str, Any]:
    """That the product had this version, so that it is missed when it is gone."""
    return {
        "_type": STATEMENT,
        "subject": [
            _subject(f"{product}@{link.number} in the {store}", link.attestation or "0" * 64)
        ],
        "predicateType": OF_NEWEST,
        "predicate": {
            "product": product,
            "store": store,
            "newest": link.written(),
            "signedBy": signed_by,
        },
    }


def structured(properties: Mapping[str, str]) -> dict[str, Any]:
    """Committed properties by their names without the prefix, with lists and objects as such."""
    return {
        key.removeprefix(keys.PREFIX): _value(value)
        for key, value in sorted(properties.items())
        if key.startswith(keys.PREFIX) and key != keys.ATTESTATION
    }


def digest_of_files(files: Sequence[AttestedFile]) -> str:
    """Of what the files must be, whatever their names and their order."""
    return digest_of(sorted(file.content for file in files))


def digest_of(value: object) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()


def canonical(value: object) -> bytes:
    """The same bytes for the same value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def _subject(name: str, sha256: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}}


def _value(text: str) -> Any:
    if text[:1] in "[{":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text
