"""A review as JSON, for whatever else wants to know.

Belongs here: that form. Does not belong here: printing it (`cli/`).
"""

from __future__ import annotations

from typing import Any

from shared_resources.reviewing.cases import Case, Outcome, Review


def as_json(review: Review) -> dict[str, Any]:
    base = review.base
    return {
        "passed": review.passed,
        "base": None if base is None else {"ref": base.ref, "commit": base.commit},
        "domains": list(review.domains),
        "counts": {outcome.value: review.count(outcome) for outcome in Outcome},
        "suites": [
            {"name": suite.name, "cases": [_case(review, case) for case in suite.cases]}
            for suite in review.suites
        ],
    }


def _case(review: Review, case: Case) -> dict[str, Any]:
    return {
        "kind": case.kind.value,
        "name": case.name,
        "outcome": case.outcome.value,
        "said": review.text(case.said),
        "seconds": round(case.seconds, 3),
        "findings": [
            {
                "file": review.shown(found.file),
                "line": found.line,
                "rule": found.rule,
                "message": review.text(found.message),
                "remedy": review.text(found.remedy),
            }
            for found in case.findings
        ],
        "facts": dict(case.facts),
    }
