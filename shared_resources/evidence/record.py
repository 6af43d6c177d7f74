"""The record that is committed with a version: what it was made from and checked against.

Belongs here: its type, the one writer of it to a commit's properties and the one reader from them.
Does not belong here: the properties' names (`keys.py`), deciding what stands in it
(`data_products/auditing.py`), what only the store knows: number, rows, time (`stores/versions.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from typing import Any

from shared_resources.contracts.model import UNPARTITIONED, Rule, Severity
from shared_resources.contracts.promise import Promise
from shared_resources.evidence import keys
from shared_resources.evidence.lineage import ColumnLineage
from shared_resources.evidence.stream_position import StreamPosition
from shared_resources.problems import MeshProblem

# Without these nobody knows what a version was checked against.
_NEEDED = (keys.RUN_ID, keys.CONTRACT_VERSION, keys.CONTRACT_DIGEST, keys.CHECKS)


class NoEvidence(MeshProblem):
    """A version's properties do not say what it was checked against; the message says which."""


@dataclass(frozen=True)
class CheckOutcome:
    """What a rule came to on the rows that are published."""

    rule: str
    passed: bool
    severity: Severity = Severity.BLOCKING
    rows_failed: int | None = None


@dataclass(frozen=True)
class FileDigest:
    """A staged file as the rules saw it: what is committed is this, or nothing is."""

    partition: str
    rows: int
    size: int
    sha256: str


@dataclass(frozen=True)
class ReplayOf:
    """The quarantined entry that was tried again, and the batch that it was rejected from."""

    entry: str
    batch_id: str


@dataclass(frozen=True)
class RolledBack:
    """`despite` are the rules of the day's contract that the restored rows break, if it was forced.
    `attestation` is that of the version which was restored, "" where it has none.
    """

    reason: str
    by: str
    despite: tuple[str, ...] = ()
    attestation: str = ""


@dataclass(frozen=True)
class Promoted:
    """The branch that the version was made in, and what it was called there: `store:number:snapshot`
    of each version of the branch that it stands for, in each store, the newest first.
    """

    branch: str
    pins: tuple[str, ...]
    by: str


@dataclass(frozen=True)
class Evidence:
    """What one version was made from and checked against.

    `checks` are of the rows that are published; `refusing` are the rules that kept other partitions
    of the same attempt from it. `partitions` are those that the batch replaced, ``("",)`` of a
    product without: as `StagedBatch` has them. `inputs` are the upstream versions by product key,
    `grants` what agreements showed of those that it did not see whole (`access/`),
    `promise` is what the contract promised readers then and `code` the digest of what made it
    (None of a version of an earlier release),
    `objects` the landing objects as (key, etag), `quarantined` the entries that the attempt left,
    `files` the batch's files as they were staged, `terms` the digest of what else held when it was
    checked (`terms.py`), `input_attestations` those of the inputs by product key. Of a rollback, all
    this is of the version that it restored, but for `rolled_back`. Of a promotion it is that of the
    branch, with `promoted`, and `quarantined` are all entries that it does not take the place of.
    `lineage` is what is known of where its columns come from, `stream` how far into its topic it goes.
    """

    run_id: str
    contract_version: str
    contract_digest: str
    checks: tuple[CheckOutcome, ...]
    promise: Promise | None = None
    policies: str = ""
    code: str | None = None
    terms: str | None = None
    refusing: tuple[str, ...] = ()
    partitions: tuple[str, ...] = (UNPARTITIONED,)
    inputs: Mapping[str, str] = field(default_factory=dict)
    grants: Mapping[str, str] = field(default_factory=dict)
    input_attestations: Mapping[str, str] = field(default_factory=dict)
    objects: tuple[tuple[str, str], ...] = ()
    quarantined: tuple[str, ...] = ()
    files: tuple[FileDigest, ...] = ()
    replay_of: ReplayOf | None = None
    rolled_back: RolledBack | None = None
    promoted: Promoted | None = None
    lineage: ColumnLineage | None = None
    stream: StreamPosition | None = None

    @property
    def input_versions(self) -> dict[str, tuple[str, int]]:
        """Of each upstream product the store that it was read in, and its version there."""
        return {product: _store_and_number(pin) for product, pin in self.inputs.items()}

    @property
    def failed(self) -> frozenset[str]:
        """The rules that failed, on what is published or on other partitions of the attempt."""
        return frozenset(self.refusing) | {c.rule for c in self.checks if not c.passed}

    @property
    def checks_failed(self) -> int:
        return len(self.failed)

    @property
    def checks_passed(self) -> int:
        return len({check.rule for check in self.checks} - self.failed)

    def outcome(self, rule: str) -> CheckOutcome | None:
        return next((check for check in self.checks if check.rule == rule), None)

    def proves(self, rule: Rule) -> bool:
        """Whether the rule, if it is one that may keep a batch from readers, did not."""
        outcome = self.outcome(rule.name)
        return rule.severity is not Severity.BLOCKING or (outcome is not None and outcome.passed)

    def properties(self) -> dict[str, str]:
        """How it stands in a commit; `read` is the inverse."""
        written = {
            keys.RUN_ID: self.run_id,
            keys.CONTRACT_VERSION: self.contract_version,
            keys.CONTRACT_DIGEST: self.contract_digest,
            keys.POLICIES: self.policies,
            keys.CHECKS: _compact([_check_to_json(check) for check in self.checks]),
            # For people, who look at a table's properties in whatever tool they have.
            keys.CHECKS_PASSED: str(self.checks_passed),
            keys.CHECKS_FAILED: str(self.checks_failed),
            keys.INPUTS: _compact(dict(self.inputs)),
            keys.OBJECTS: _compact(self.objects),
            keys.PARTITIONS: _compact(self.partitions),
            keys.QUARANTINED: _compact(self.quarantined),
            keys.FILES: _compact([astuple(file) for file in self.files]),
        }
        if self.promise is not None:
            written[keys.PROMISE] = self.promise.text()
        if self.code is not None:
            written[keys.CODE] = self.code
        if self.lineage is not None:
            written[keys.LINEAGE] = self.lineage.text()
        if self.stream is not None:
            written[keys.STREAM] = self.stream.text()
        if self.terms is not None:
            written[keys.TERMS] = self.terms
        if self.input_attestations:
            written[keys.INPUT_ATTESTATIONS] = _compact(dict(self.input_attestations))
        if self.grants:
            written[keys.GRANTS] = _compact(dict(self.grants))
        if self.refusing:
            written[keys.REFUSING] = _compact(self.refusing)
        if self.replay_of is not None:
            written[keys.REPLAY_OF] = self.replay_of.entry
            written[keys.REPLAY_OF_BATCH] = self.replay_of.batch_id
        if self.rolled_back is not None:
            written[keys.ROLLBACK_REASON] = self.rolled_back.reason
            written[keys.ROLLBACK_BY] = self.rolled_back.by
            if self.rolled_back.attestation:
                written[keys.ROLLBACK_ATTESTATION] = self.rolled_back.attestation
            if self.rolled_back.despite:
                written[keys.ROLLBACK_DESPITE] = _compact(self.rolled_back.despite)
        if self.promoted is not None:
            written[keys.PROMOTED_FROM] = self.promoted.branch
            written[keys.PROMOTED_PINS] = _compact(self.promoted.pins)
            written[keys.PROMOTED_BY] = self.promoted.by
        return written

    @classmethod
    def read(cls, properties: Mapping[str, str], of: str = "what is published") -> Evidence:
        """What stands in a commit's properties. `of` is which version's they are, for the message.

        Raises `NoEvidence` when they do not say what it was checked against.
        """
        lacking = [key for key in _NEEDED if key not in properties]
        if lacking:
            raise NoEvidence(
                f"{of} has no evidence of what it was checked against ({', '.join(lacking)} missing): "
                "it was not published by the mesh's audit. Publish it again with `mesh run`, or "
                "go back to an audited version with `mesh rollback`."
            )
        try:
            return cls._parse(properties)
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise NoEvidence(
                f"{of} has evidence that cannot be read ({type(problem).__name__}: {problem}); "
                "publish it again with `mesh run`, or go back with `mesh rollback`"
            ) from problem

    @classmethod
    def _parse(cls, properties: Mapping[str, str]) -> Evidence:
        def listed(key: str) -> list[Any]:
            found = json.loads(properties.get(key, "[]"))
            if not isinstance(found, list):
                raise ValueError(f"{key} is no list")
            return found

        replayed, by = properties.get(keys.REPLAY_OF), properties.get(keys.ROLLBACK_BY)
        branch = properties.get(keys.PROMOTED_FROM)
        return cls(
            run_id=properties[keys.RUN_ID],
            contract_version=properties[keys.CONTRACT_VERSION],
            contract_digest=properties[keys.CONTRACT_DIGEST],
            checks=tuple(_check_of_json(check) for check in listed(keys.CHECKS)),
            promise=promise_in(properties),
            policies=properties.get(keys.POLICIES, ""),
            code=properties.get(keys.CODE),
            lineage=_lineage_in(properties),
            stream=stream_in(properties),
            terms=properties.get(keys.TERMS),
            refusing=tuple(map(str, listed(keys.REFUSING))),
            # Earlier releases wrote no partition of a product without; a batch always has one.
            partitions=tuple(map(str, listed(keys.PARTITIONS))) or (UNPARTITIONED,),
            inputs=dict(json.loads(properties.get(keys.INPUTS, "{}"))),
            grants=dict(json.loads(properties.get(keys.GRANTS, "{}"))),
            input_attestations=dict(json.loads(properties.get(keys.INPUT_ATTESTATIONS, "{}"))),
            objects=tuple((str(key), str(etag)) for key, etag in listed(keys.OBJECTS)),
            quarantined=tuple(map(str, listed(keys.QUARANTINED))),
            files=tuple(_file_of_json(*file) for file in listed(keys.FILES)),
            replay_of=(
                None if replayed is None else ReplayOf(replayed, properties[keys.REPLAY_OF_BATCH])
            ),
            rolled_back=(
                None
                if by is None
                else RolledBack(
                    properties.get(keys.ROLLBACK_REASON, ""),
                    by,
                    tuple(map(str, listed(keys.ROLLBACK_DESPITE))),
                    properties.get(keys.ROLLBACK_ATTESTATION, ""),
                )
            ),
            promoted=(
                None
                if branch is None
                else Promoted(
                    branch,
                    tuple(map(str, listed(keys.PROMOTED_PINS))),
                    properties.get(keys.PROMOTED_BY, ""),
                )
            ),
        )


def _store_and_number(pin: str) -> tuple[str, int]:
    """Of `lake:7:<snapshot>`, as `stores/pins.py` writes it."""
    store, _, rest = pin.partition(":")
    number = rest.partition(":")[0]
    return store, int(number) if number.isdecimal() else 0


def promise_in(properties: Mapping[str, str]) -> Promise | None:
    """What the contract promised when these properties were committed; None if nobody wrote it."""
    written = properties.get(keys.PROMISE)
    return None if written is None else Promise.read(written)


def _lineage_in(properties: Mapping[str, str]) -> ColumnLineage | None:
    written = properties.get(keys.LINEAGE)
    return None if written is None else ColumnLineage.read(written)


def stream_in(properties: Mapping[str, str]) -> StreamPosition | None:
    """How far into its topic the product was; None of one that is made of no topic."""
    written = properties.get(keys.STREAM)
    return None if written is None else StreamPosition.read(written)


def _check_to_json(check: CheckOutcome) -> dict[str, Any]:
    return {
        "rule": check.rule,
        "passed": check.passed,
        "severity": check.severity.value,
        "rows_failed": check.rows_failed,
    }


def _check_of_json(written: dict[str, Any]) -> CheckOutcome:
    passed = written["passed"]
    if not isinstance(passed, bool):
        raise ValueError(f"the outcome of {written['rule']} is {passed!r}")
    severity = Severity(written["severity"])
    return CheckOutcome(written["rule"], passed, severity, written["rows_failed"])


def _file_of_json(partition: str, rows: int, size: int, sha256: str) -> FileDigest:
    return FileDigest(str(partition), int(rows), int(size), str(sha256))


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
