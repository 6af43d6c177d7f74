"""Changes of a contract's rules: what a reader may count on less than before.

Belongs here: which rules of two contracts are the same, and what differs between them.
Does not belong here: when a kind's rule lets more through (`contracts/rules/`), thresholds as numbers
(`tolerance.py`), rules that only say what a column or the contract says anyway.

A rule that warns promises nothing to a reader: what becomes of it is compatible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from shared_resources.contracts.changes.change import (
    Change,
    compatible,
    cosmetic,
    either,
)
from shared_resources.contracts.changes.tolerance import is_as_strict, is_as_strict_of_more
from shared_resources.contracts.model import Contract, Rule, Severity
from shared_resources.contracts.rules.kind import OwnKind
from shared_resources.contracts.rules.registry import kind_of

# Whether all that a rule lets through another of its kind let through, by their arguments.
_Keeps = Callable[[Rule, Rule], bool]


def rule_changes(was: Contract, now: Contract) -> Iterator[Change]:
    families = {column.name: column.type.family for column in now.columns}
    retyped = {
        column.name
        for column in was.columns
        if families.get(column.name, column.type.family) is not column.type.family
    }
    before = [rule for rule in was.rules if _counts(rule)]
    after = [rule for rule in now.rules if _counts(rule)]
    pairs = _paired(before, after)
    paired, others = [one for one, _ in pairs], [other for _, other in pairs]
    for rule in before:
        # Of a column that is gone, that says it.
        if rule not in paired and {*rule.columns} <= families.keys():
            yield _gone(rule)
    for rule in after:
        if rule not in others:
            said = f"check {rule.name} is new"
            yield compatible(rule.clause, said, *rule.columns, line=rule.line)
    for one, other in pairs:
        keeps = _equal if retyped & {*one.columns} else kind_of(other).keeps
        yield from _of_rule(one, other, keeps)


def _counts(rule: Rule) -> bool:
    return not kind_of(rule).restates


def _paired(before: Sequence[Rule], after: Sequence[Rule]) -> list[tuple[Rule, Rule]]:
    """Which rule has become which: first what asks for the same, since names that nobody wrote have
    numbers that move; then what is called the same; then what no other is like."""
    pairs: list[tuple[Rule, Rule]] = []
    left, free = list(before), list(after)
    for mark in (_whole, _asked, _called, _like):
        for rule in list(left):
            alike = [one for one in free if mark(one) == mark(rule)]
            if len(alike) == 1 and sum(mark(one) == mark(rule) for one in left) == 1:
                pairs.append((rule, alike[0]))
                left.remove(rule)
                free.remove(alike[0])
    return pairs


def _whole(rule: Rule) -> object:
    return rule.name, _asked(rule)


def _asked(rule: Rule) -> object:
    return rule.kind, rule.columns, rule.arguments, rule.threshold, rule.severity


def _called(rule: Rule) -> object:
    return rule.name, rule.kind


def _like(rule: Rule) -> object:
    return rule.kind, rule.columns


def _gone(rule: Rule) -> Change:
    said = f"check {rule.name} is gone"
    return either(rule.severity is Severity.BLOCKING, rule.clause, said, *rule.columns)


def _of_rule(was: Rule, now: Rule, keeps: _Keeps) -> Iterator[Change]:
    line, columns = now.line, now.columns
    if was.name != now.name:
        said = f"check {was.name} is called {now.name}"
        yield cosmetic(now.clause, said, *columns, line=line)
    warns = was.severity is Severity.WARNING
    if was.severity is not now.severity:
        said = f"check {now.name} {'blocks' if warns else 'only warns'} now"
        yield either(not warns, now.clause, said, *columns, line=line)
    elif what := _differs(was, now, keeps):
        kept = _is_kept(was, now, keeps)
        said = "lets more through" if _is_kept(now, was, keeps) else "asks for something else"
        said = f"check {now.name} {'asks for more' if kept else said}: {what}"
        yield either(not (kept or warns), now.clause, said, *columns, line=line)
    same = (was.arguments, was.threshold) == (now.arguments, now.threshold)
    if same and _text(was) != _text(now):
        said = f"check {now.name} is described otherwise"
        yield cosmetic(now.clause, said, *columns, line=line)


def _text(rule: Rule) -> tuple[str | None, ...]:
    return rule.description, rule.dimension, rule.reason


def _equal(was: Rule, now: Rule) -> bool:
    """Of values of other types nothing more can be said."""
    return was.arguments == now.arguments


def _is_kept(was: Rule, now: Rule, keeps: _Keeps) -> bool:
    """Whether all that passes the rule now passed it before."""
    if was.columns != now.columns or not keeps(was, now):
        return False
    own = isinstance(kind_of(now), OwnKind)
    if own or keeps(now, was):
        return is_as_strict(now.threshold, was.threshold, counts=not own)
    return is_as_strict_of_more(now.threshold, was.threshold)


def _differs(was: Rule, now: Rule, keeps: _Keeps) -> str:
    """What differs, in words; empty where nothing does that a reader could notice."""
    said = []
    if was.columns != now.columns:
        said.append(f"on {', '.join(now.columns)} and not on {', '.join(was.columns)}")
    # Two rules that keep each other are the same in other words.
    if not (keeps(was, now) and keeps(now, was)):
        for name in sorted({*was.arguments, *now.arguments}):
            one, other = was.arguments.get(name), now.arguments.get(name)
            if one != other:
                said.append(_between(name, one, other))
    if was.threshold != now.threshold:
        kind = kind_of(now)
        said.append(f"{kind.limit(now)}, before {kind.limit(was)}")
    return "; ".join(said)


def _between(name: str, was: object, now: object) -> str:
    """Of two lists what only one of them has."""
    if isinstance(was, list) and isinstance(now, list):
        more = [one for one in now if one not in was]
        fewer = [one for one in was if one not in now]
        parts = (
            f"with {_shown(more)}" if more else "",
            f"without {_shown(fewer)}" if fewer else "",
        )
        return f"{name} {', '.join(part for part in parts if part) or 'in another order'}"
    return f"{name} {_shown(now)}, before {_shown(was)}"


def _shown(value: object) -> str:
    if value is None:
        return "none"
    parts = value if isinstance(value, list) else [value]
    text = ", ".join(" ".join(str(part).split()) for part in parts)
    return text if len(text) <= 60 else f"{text[:59]}…"
