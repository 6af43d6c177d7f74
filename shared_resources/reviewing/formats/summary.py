"""A review as a page of Markdown, for the summary of a CI run or a comment on a pull request.

Belongs here: what stands on the page, and in which order.
Does not belong here: annotations at lines (`annotations.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shared_resources.reviewing.cases import Case, Kind, Outcome, Review, Suite

# GitHub takes a mebibyte for a step; nobody reads more rows than these.
_MOST_ROWS = 200
_LONGEST = 1_000
# What would be markup, an end of a cell, or a mention that sends somebody a message.
_MARKUP = {
    **{character: f"\\{character}" for character in "\\`*_[]|~#"},
    "<": "&lt;",
    ">": "&gt;",
    "&": "&amp;",
    "@": "&#64;",
}


def summary(review: Review) -> str:
    """The whole page."""
    blocks = (
        _head(review),
        _wrong(review, Outcome.FAILED, "What fails"),
        _wrong(review, Outcome.WARNING, "What to look at"),
        _contracts(review),
        _data(review),
        _counts(review),
        _left_out(review),
    )
    return "\n\n".join(filter(None, blocks)) + "\n"


def _head(review: Review) -> str:
    verdict = "passed" if review.passed else "failed"
    names = ", ".join(review.domains) or "no domain"
    against = f", against {_text(str(review.base))}" if review.base else ""
    counts = ", ".join(f"{review.count(one)} {one}" for one in Outcome if review.count(one))
    return f"## mesh ci: {verdict}\n\nLooked at {_text(names)}{against}: {counts or 'no case'}."


def _wrong(review: Review, outcome: Outcome, title: str) -> str:
    rows = [
        (
            case.kind.value,
            review.shown(found.file) + (f":{found.line}" if found.line else ""),
            review.text(found.message),
            review.text(found.remedy),
        )
        for _, case in review.cases
        if case.outcome is outcome
        for found in case.findings
    ]
    return _section(title, ("", "where", "what", "what to do"), rows)


def _contracts(review: Review) -> str:
    rows = []
    for suite, case in _of(review, Kind.CONTRACT):
        facts = case.facts
        if facts.get("verdict") == "unchanged":
            continue
        versions: Any = facts.get("versions") or {}
        moved = " to ".join(dict.fromkeys(filter(None, versions.values())))
        verdict = str(facts.get("verdict", ""))
        if facts.get("permitted"):
            verdict += ", in a new major version"
        product = case.name.split(" ")[0]
        rows.append((suite.name, product, str(facts["against"]), verdict, moved, _hit(facts)))
    header = ("domain", "product", "against", "verdict", "version", "consumers hit")
    return _section("Contracts", header, rows)


def _hit(facts: Mapping[str, object]) -> str:
    told: Any = facts.get("consumers") or ()
    return "; ".join(
        one["product"] + (f" ({', '.join(one['columns'])})" if one["columns"] else "")
        for one in told
    )


def _data(review: Review) -> str:
    rows = []
    for _, case in _of(review, Kind.DATA):
        changes: Any = case.facts.get("changes")
        if case.outcome is Outcome.SKIPPED or case.facts.get("became") == "failed":
            continue
        of: Any = case.facts.get("partitions") or ()
        sampled = " (of a sample)" if case.facts.get("sampled") else ""
        row = [case.name + (f" of {', '.join(of)}" if of else "") + sampled]
        row.append(f"{case.facts['publishable']:,}")
        if changes is None:
            refused = case.facts.get("became") == "refused"
            row += ["", "", "", "would be refused" if refused else "nothing is published yet"]
        else:
            row += [f"{changes[name]:,}" for name in ("added", "gone", "changed")]
            row.append(", ".join(_columns(changes)))
        rows.append(tuple(row))
    header = ("product", "rows to publish", "added", "gone", "changed", "columns")
    return _section("Data", header, rows)


def _columns(changes: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{name}: {rows:,}" for name, rows in changes["columns"].items())
    yield from (f"{name} is new" for name in changes["new_columns"])
    yield from (f"{name} is gone" for name in changes["gone_columns"])
    yield from (f"{name} has another type" for name in changes["retyped_columns"])


def _counts(review: Review) -> str:
    rows = []
    for suite in review.suites:
        for kind in Kind:
            cases = suite.of(kind)
            if cases:
                found = [sum(case.outcome is one for case in cases) for one in Outcome]
                rows.append((suite.name, kind.value, *(str(number or "") for number in found)))
    return _section("All of it", ("domain", "what", *(one.value for one in Outcome)), rows)


def _left_out(review: Review) -> str:
    rows = [
        (suite.name, case.name, review.text(case.said))
        for suite, case in review.cases
        if case.outcome is Outcome.SKIPPED
    ]
    return _section("What was left out", ("domain", "what", "why"), rows)


def _of(review: Review, kind: Kind) -> Iterator[tuple[Suite, Case]]:
    return ((suite, case) for suite, case in review.cases if case.kind is kind)


def _section(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [header, ["---"] * len(header)]
    cells: Iterable[Sequence[str]] = ([_text(cell) for cell in row] for row in rows[:_MOST_ROWS])
    told = "\n".join(f"| {' | '.join(line)} |" for line in (*lines, *cells))
    more = len(rows) - _MOST_ROWS
    return f"### {title}\n\n{told}" + (f"\n\n{more:,} more: `--json` has all." if more > 0 else "")


def _text(said: str) -> str:
    """Text as text: nothing in it is markup, ends a cell or calls anybody."""
    short = " ".join(said.split())
    if len(short) > _LONGEST:
        short = short[:_LONGEST] + "…"
    return "".join(_MARKUP.get(character, character) for character in short)
