"""What stands in a version's evidence, as data for people and scripts.

Belongs here: choosing and naming it. Does not belong here: comparing it (`verifying.py`), printing it
(`cli/`), the page for an auditor (`page.py`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from shared_resources.attesting.differences import Difference
from shared_resources.attesting.rerunning import Rerun
from shared_resources.attesting.signatures import Signed
from shared_resources.attesting.verifying import Proof, ProvenVersion
from shared_resources.evidence.record import Evidence
from shared_resources.evidence.stream_position import StreamPosition
from shared_resources.stores.erased import erasures_of

NOT_ATTESTED = "not attested"


def proof_shown(proof: Proof, reruns: Sequence[Rerun] = ()) -> dict[str, Any]:
    """Of one store: the versions, the numbers of those that expired, what differs, and of rules that
    were run again."""
    return {
        "product": proof.product,
        "store": proof.store,
        "versions": [version_shown(one) for one in proof.versions],
        "expired": list(proof.expired),
        "differences": [
            vars(difference) | {"text": str(difference)}
            for difference in all_differences([proof], reruns)
        ],
        "reruns": [
            {"version": one.version, "rules": list(one.rules), "skipped": dict(one.skipped)}
            for one in reruns
        ],
    }


def all_differences(proofs: Sequence[Proof], reruns: Sequence[Rerun]) -> list[Difference]:
    """What was found by comparing, then what by running rules again."""
    found = [one for proof in proofs for one in proof.differences]
    return found + [one for again in reruns for one in again.differences]


def version_shown(one: ProvenVersion) -> dict[str, Any]:
    """`attestation` is None, and `signed` says so, for a version from before there were any."""
    version, attested = one.version, one.attested
    evidence = version.evidence_or_none
    predicate = attested.predicate if attested else {}
    terms = predicate.get("terms") or {}
    return {
        "version": version.number,
        "kind": predicate.get("kind"),
        "published_at": version.published_at.isoformat(),
        "rows": version.rows,
        "attestation": attested.digest if attested else None,
        "previous": attested.previous if attested else None,
        "supersedes": attested.supersedes if attested else None,
        "erased": [{"erasure": id_, "rows": rows} for id_, rows in erasures_of(version.properties)],
        "signed": str(attested.signed) if attested and attested.predicate else NOT_ATTESTED,
        "signed_by": predicate.get("signedBy"),
        "run": evidence.run_id if evidence else None,
        "contract": {
            "version": evidence.contract_version,
            "digest": evidence.contract_digest,
        }
        if evidence
        else None,
        "results": [
            {
                "rule": check.rule,
                "passed": check.passed,
                "severity": str(check.severity),
                "rows_failed": check.rows_failed,
                "says": (terms.get("rules") or {}).get(check.rule),
            }
            for check in (evidence.checks if evidence else ())
        ],
        "refused_beside": list(evidence.refusing) if evidence else [],
        "not_checked": not_checked(one),
        "policies": terms.get("policies"),
        "waivers": terms.get("waivers"),
        "lineage": _lineage(evidence) if evidence else None,
        "inputs": _inputs(evidence) if evidence else [],
        "objects": [list(pair) for pair in (evidence.objects if evidence else ())],
        "quarantined": list(evidence.quarantined) if evidence else [],
        "stream": _stream(evidence.stream) if evidence and evidence.stream else None,
        "agreements": terms.get("agreements"),
        "code": evidence.code if evidence else None,
        "release": terms.get("release"),
        "platform": terms.get("platform"),
        "approvals": approvals(one),
        "data": predicate.get("data"),
    }


def _inputs(evidence: Evidence) -> list[dict[str, str | None]]:
    return [
        {"product": product, "read": pin, "attestation": evidence.input_attestations.get(product)}
        for product, pin in evidence.inputs.items()
    ]


def _stream(at: StreamPosition) -> dict[str, Any]:
    """How far into its topic the version goes, and what this commit took, rejected and went without."""
    shown: dict[str, Any] = json.loads(at.text())
    return shown


def _lineage(evidence: Evidence) -> dict[str, Any] | None:
    """How it is known, and by column what it is made from; None where nothing is known."""
    return json.loads(evidence.lineage.text()) if evidence.lineage is not None else None


def not_checked(one: ProvenVersion) -> list[dict[str, str]]:
    """The clauses that nothing was checked against, and what else this evidence does not say."""
    attested = one.attested
    if attested is None:
        why = "it was published before there were attestations: only what was committed is known"
        return [{"what": "everything", "why": why}]
    terms = attested.predicate.get("terms")
    if terms is None:
        why = "nobody kept under which terms it was checked"
        return [{"what": "the contract's other clauses", "why": why}]
    found = [{"what": str(c["clause"]), "why": str(c["why"])} for c in terms["not_enforced"]]
    if attested.signed is Signed.NOT:
        why = "nobody signed this version: whoever may write to all of its places may write it anew"
        found.append({"what": "who published it", "why": why})
    return found


def approvals(one: ProvenVersion) -> list[dict[str, str]]:
    """Who let something pass: waivers, a rollback, a promotion, messages that were gone."""
    terms = (one.attested.predicate.get("terms") if one.attested else None) or {}
    found = [
        {
            "by": str(waiver["approver"]),
            "what": f"the waiver of {waiver['policy']} until {waiver['expires']}",
            "why": str(waiver["reason"]),
        }
        for waiver in terms.get("waivers", ())
    ]
    evidence = one.version.evidence_or_none
    if evidence is not None and evidence.rolled_back is not None:
        back = evidence.rolled_back
        despite = f", despite {', '.join(back.despite)}" if back.despite else ""
        found.append(
            {
                "by": back.by,
                "what": f"the rollback to version {one.version.rollback_of}{despite}",
                "why": back.reason,
            }
        )
    if evidence is not None and evidence.promoted is not None:
        branch = evidence.promoted.branch
        found.append({"by": evidence.promoted.by, "what": f"the promotion of {branch}", "why": ""})
    if evidence is not None and evidence.stream is not None:
        topic = evidence.stream.topic
        found += [
            {"by": skip.by, "what": f"{skip.told} of {topic}, which were gone", "why": skip.reason}
            for skip in evidence.stream.skipped
        ]
    return found
