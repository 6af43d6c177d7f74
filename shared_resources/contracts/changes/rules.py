"""Changes of a contract's rules: what a reader may count on less than before.

Belongs here: which rules of two contracts are the same, and what differs between them.
Does not belong here: when a kind's rule lets more through (`contracts/rules/`), thresholds as numbers
(`tolerance.py`), rules that only say what a column or the contract says anyway.

A rule that warns promises nothing to a reader: what becomes of it is compatible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from shared_resources.contracts.changes.change import (
    Change,
    compatible,
    cosmetic,
    either,
)
from shared_resources.contracts.changes.tolerance import is_as_strict, is_as_strict_of_more
from shared_resources.contracts.model import Contract, Rule, Severity, Threshold
from shared_resources.contracts.rules.implied import BOUNDS
from shared_resources.contracts.rules.kind import KeyKind, OwnKind
from shared_resources.contracts.rules.registry import all_kinds, kind_of

# Whether all that a rule lets through another of its kind let through, by their arguments.
_Keeps = Callable[[Rule, Rule], bool]
# The kind in whose words what others say of single values can be said.
_INVALID = "invalid_values"


def rule_changes(was: Contract, now: Contract) -> Iterator[Change]:
    families = {column.name: column.type.family for column in now.columns}
    retyped = {
        column.name
        for column in was.columns
        if families.get(column.name, column.type.family) is not column.type.family
    }
    # Of a column that is gone, that says it.
    before = [rule for rule in was.rules if _counts(rule) and {*rule.columns} <= families.keys()]
    after = [rule for rule in now.rules if _counts(rule)]
    pairs = _paired(before, after)
    paired, others = [one for one, _ in pairs], [other for _, other in pairs]
    for rule in before:
        if rule not in paired:
            yield _gone(rule, now)
    for rule in after:
        if rule not in others:
            said = f"check {rule.name} is new"
            yield compatible(rule.clause, said, *rule.columns, line=rule.line)
    for one, other in pairs:
        # Arguments are values of the column's type: of two types none is more than the other.
        alike = _on(one) == _on(other) and not retyped & {*one.columns}
        yield from _of_rule(one, other, kind_of(other).keeps if alike else _equal)


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


def _on(rule: Rule) -> object:
    """What it looks at: a combination of columns is the same in any order."""
    return {*rule.columns} if isinstance(kind_of(rule), KeyKind) else rule.columns


def _whole(rule: Rule) -> object:
    return rule.name, _asked(rule)


def _asked(rule: Rule) -> object:
    return rule.kind, _on(rule), rule.arguments, rule.threshold, rule.severity


def _called(rule: Rule) -> object:
    return rule.name, rule.kind


def _like(rule: Rule) -> object:
    return rule.kind, _on(rule)


def _gone(rule: Rule, now: Contract) -> Change:
    said = f"check {rule.name} is gone"
    instead = next((one for one in now.rules if _stands_for(one, rule)), None)
    instead = instead or _said_otherwise(rule, now)
    if instead is not None:
        said += f": {instead.name} asks for no less"
    breaks = rule.severity is Severity.BLOCKING and instead is None
    return either(breaks, rule.clause, said, *rule.columns)


def _stands_for(one: Rule, rule: Rule) -> bool:
    """Whether a clause of the column or the key, or a rule on fewer columns, says what a rule said that
    is gone."""
    return (
        one.kind == kind_of(rule).as_clause
        and {*one.columns} == {*rule.columns}
        and is_as_strict(one.threshold, rule.threshold, counts=True)
    ) or _is_narrower_key(rule, one)


def _is_narrower_key(was: Rule, now: Rule) -> bool:
    """Whether no key repeats now that is part of one that did not repeat: then that does not, either."""
    keys = isinstance(kind_of(was), KeyKind) and isinstance(kind_of(now), KeyKind)
    return keys and {*now.columns} < {*was.columns} and _lets_none(now) and _allows_none(was)


def _lets_none(rule: Rule) -> bool:
    strict = is_as_strict(rule.threshold, Threshold(), counts=True)
    return strict and rule.severity is Severity.BLOCKING


def _allows_none(rule: Rule) -> bool:
    return is_as_strict(Threshold(), rule.threshold, counts=True)


def _valid(rule: Rule) -> dict[str, dict[str, object]]:
    """What a rule on one column says of its values, as the metric `invalidValues` says it: a list, a
    pattern, bounds, each by itself; nothing where it is of another kind."""
    given = kind_of(rule).valid(rule)
    found = {
        "list": {name: given[name] for name in ("validValues",) if name in given},
        "pattern": {name: given[name] for name in ("pattern",) if given.get(name) is not None},
        "bounds": {name: given[name] for name in BOUNDS if given.get(name) is not None},
    }
    return {name: said for name, said in found.items() if said}


def _said_otherwise(rule: Rule, now: Contract) -> Rule | None:
    """A rule of another kind that, with others, lets through no value that a rule did which is gone:
    `enum` in place of `invalidValues`, or the reverse."""
    parts = _valid(rule)
    if not parts or not _allows_none(rule):
        return None
    others = [one for one in now.rules if one.columns == rule.columns and _lets_none(one)]
    keeps = all_kinds()[_INVALID].keeps
    instead = None
    for name, said in parts.items():
        was = replace(rule, arguments=said)
        kept = (
            one
            for one in others
            if (says := _valid(one).get(name)) and keeps(was, replace(rule, arguments=says))
        )
        if (instead := next(kept, None)) is None:
            return None
    return instead


def never_repeats(contract: Contract, column: str) -> bool:
    """Whether a clause, the key or a rule that blocks says that no value of the column repeats."""
    return any(
        isinstance(kind_of(rule), KeyKind)
        and rule.columns == (column,)
        and rule.severity is Severity.BLOCKING
        and is_as_strict(rule.threshold, Threshold(), counts=True)
        for rule in contract.rules
    )


def _of_rule(was: Rule, now: Rule, keeps: _Keeps) -> Iterator[Change]:
    # What becomes less does so for those who read what the rule looked at.
    line, columns = now.line, was.columns
    if was.name != now.name:
        said = f"check {was.name} is called {now.name}"
        yield cosmetic(now.clause, said, *columns, line=line)
    warns = was.severity is Severity.WARNING
    if was.severity is not now.severity:
        said = f"check {now.name} {'blocks' if warns else 'only warns'} now"
        yield either(not warns, now.clause, said, *columns, line=line)
    elif what := _differs(was, now, keeps):
        kept, kept_back = _is_kept(was, now, keeps), _is_kept(now, was, keeps)
        if kept and kept_back:
            said = f"check {now.name} asks for the same in other words: {what}"
            yield cosmetic(now.clause, said, *columns, line=line)
            return
        said = "lets more through" if kept_back else "asks for something else"
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
    if _on(was) != _on(now):
        return _is_narrower_key(was, now)
    if not keeps(was, now):
        return False
    own = isinstance(kind_of(now), OwnKind)
    if own or keeps(now, was):
        return is_as_strict(now.threshold, was.threshold, counts=not own)
    return is_as_strict_of_more(now.threshold, was.threshold)


def _differs(was: Rule, now: Rule, keeps: _Keeps) -> str:
    """What differs, in words; empty where nothing does that a reader could notice."""
    said = []
    if _on(was) != _on(now):
        on, not_on = (", ".join(one.columns) or "the whole batch" for one in (now, was))
        said.append(f"on {on} and not on {not_on}")
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
    text = ", ".join(" ".join(str(part).split()) or "the empty text" for part in parts)
    return text if len(text) <= 60 else f"{text[:59]}…"
