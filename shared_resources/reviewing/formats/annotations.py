"""Annotations: findings at the lines of a change, as GitHub and GitLab take them.

Belongs here: GitHub's workflow commands and GitLab's Code Quality report, and how they escape.
Does not belong here: what is annotated (`reviewing/`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from shared_resources.findings import Finding
from shared_resources.reviewing.cases import Case, Outcome, Review

# GitHub shows ten errors and ten warnings of a step: what fails comes first.
_LEVELS = ((Outcome.FAILED, "error", "major"), (Outcome.WARNING, "warning", "minor"))
_DATA = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
_PROPERTY = (*_DATA, (":", "%3A"), (",", "%2C"))


def github(review: Review) -> Iterator[str]:
    """Lines for a step's standard output."""
    for _, level, _, case, found in _annotated(review):
        place = [("file", review.shown(found.file))]
        if found.line:
            place.append(("line", str(found.line)))
        place.append(("title", f"{case.kind}: {found.rule}"))
        properties = ",".join(f"{name}={_escaped(text, _PROPERTY)}" for name, text in place)
        yield f"::{level} {properties}::{_escaped(_said(review, found), _DATA)}"


def gitlab(review: Review) -> list[dict[str, object]]:
    """The Code Quality report: JSON for `artifacts: reports: codequality`."""
    told: list[dict[str, object]] = []
    for suite, _, severity, case, found in _annotated(review):
        file = review.shown(found.file)
        # The same finding has the same fingerprint in every run, wherever its line has moved to.
        same = "\0".join(
            (suite, case.kind, case.name, file, found.rule, review.text(found.message))
        )
        told.append(
            {
                "description": _said(review, found),
                "check_name": f"mesh/{case.kind}/{found.rule}",
                "fingerprint": hashlib.sha256(same.encode("utf-8", "replace")).hexdigest(),
                "severity": severity,
                "location": {"path": file, "lines": {"begin": max(1, found.line)}},
            }
        )
    return told


def _annotated(review: Review) -> Iterator[tuple[str, str, str, Case, Finding]]:
    for outcome, level, severity in _LEVELS:
        for suite, case in review.cases:
            if case.outcome is outcome:
                for found in case.findings:
                    yield suite.name, level, severity, case, found


def _said(review: Review, found: Finding) -> str:
    return review.text(f"{found.message} -> {found.remedy}")


def _escaped(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for character, code in pairs:
        text = text.replace(character, code)
    return text
