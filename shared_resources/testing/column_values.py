"""Values that one column of a contract may hold, its edges first.

Belongs here: bounds, enumerations, patterns, lengths and formats, each as values.
Does not belong here: keys and nulls, which are about rows (`rows.py`).
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from shared_resources.contracts.model import Column, Contract, Operator, Rule
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.types import MOMENTS, Family
from shared_resources.testing.pattern_texts import text_of

_WIDTH = 1_000  # of a range with one end
_DAY = date(2024, 2, 29)
_BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
# Rules of one column that say which values it may hold, whatever share of rows they tolerate.
_SAYING = frozenset({"range", "enumeration", "pattern", "length", "multiple_of", "invalid_values"})


@dataclass(frozen=True)
class Allowed:
    """What the rules of a column say of its values: `said` are their arguments together. Its days are
    from `day` on, and before `end`."""

    column: Column
    said: Mapping[str, Any] = field(default_factory=dict)
    day: date = _DAY
    end: date | None = None

    @property
    def listed(self) -> tuple[Any, ...]:
        """The values, where they are enumerated; none where they are not."""
        return tuple(self.said.get("values") or self.said.get("validValues") or ())


def allowed(contract: Contract, column: Column) -> Allowed:
    """What the contract allows a column to hold."""
    said: dict[str, Any] = {}
    for rule in contract.rules:
        if bounds := kind_of(rule).bounds_on(rule, column.name):
            said |= {name: _both(name, said, value) for name, value in bounds.items()}
        elif rule.columns == (column.name,) and rule.kind in _SAYING and _forbids(rule):
            said |= {name: _both(name, said, value) for name, value in rule.arguments.items()}
    daily = contract.partitioning
    if daily is not None and daily.column == column.name:
        return Allowed(column, said, daily.start, daily.end)
    return Allowed(column, said)


def _both(name: str, said: Mapping[str, Any], value: Any) -> Any:
    """Of two rules' bounds the narrower one."""
    if name not in said or name not in _BOUNDS:
        return value
    return max(said[name], value) if "inimum" in name else min(said[name], value)


def _forbids(rule: Rule) -> bool:
    return rule.threshold.operator in (
        Operator.MUST_BE,
        Operator.LESS_THAN,
        Operator.LESS_OR_EQUAL,
    )


def values(of: Allowed, chance: random.Random, *, distinct: bool) -> Iterator[Any]:
    """Values without end; with `distinct`, as many different ones as there are, then none."""
    if of.listed:
        yield from of.listed
        while not distinct:
            yield chance.choice(of.listed)
        return
    family = of.column.type.family
    if family is Family.BOOLEAN:
        yield from (True, False)
        while not distinct:
            yield chance.random() < 0.5
        return
    if family is Family.STRING:
        made = _texts(of, chance)
    elif family in MOMENTS:
        made = _moments(of, chance)
    else:
        made = _numbers(of, chance, distinct=distinct)
    yield from _once(made) if distinct else made


def _once(made: Iterator[Any]) -> Iterator[Any]:
    seen: set[Any] = set()
    in_vain = 0
    for value in made:
        if value in seen:
            in_vain += 1
            if in_vain > 1_000:
                return
            continue
        in_vain = 0
        seen.add(value)
        yield value


def _numbers(of: Allowed, chance: random.Random, *, distinct: bool) -> Iterator[Any]:
    type_, step = of.column.type, _step(of)
    low, high = _ends(of, step)
    whole = type_.family is Family.INTEGER

    def as_value(number: Decimal) -> Any:
        number = (number // step) * step if "multipleOf" in of.said or whole else number
        if type_.family is Family.DECIMAL:
            return round(number, type_.scale)
        return int(number) if whole else float(number)

    yield as_value(low)
    yield as_value(high)
    if low < 0 < high:
        yield as_value(Decimal(0))
    if distinct:
        place = low
        while place <= high:
            yield as_value(place)
            place += step
        return
    while True:
        share = Decimal(str(round(chance.random(), 6)))
        yield as_value(low + (high - low) * share)


def _step(of: Allowed) -> Decimal:
    if "multipleOf" in of.said:
        return Decimal(str(of.said["multipleOf"]))
    if of.column.type.family is Family.DECIMAL:
        return Decimal(1).scaleb(-of.column.type.scale)
    return Decimal(1) if of.column.type.family is Family.INTEGER else Decimal("0.25")


def _ends(of: Allowed, step: Decimal) -> tuple[Decimal, Decimal]:
    said = {name: Decimal(str(of.said[name])) for name in _BOUNDS if name in of.said}
    inner = {"exclusiveMinimum": step, "exclusiveMaximum": -step}
    ends = {name: bound + inner.get(name, 0) for name, bound in said.items()}
    lows = [bound for name, bound in ends.items() if "inimum" in name]
    highs = [bound for name, bound in ends.items() if "aximum" in name]
    low = max(lows) if lows else min([Decimal(0), *(high - _WIDTH for high in highs)])
    high = min(highs) if highs else low + _WIDTH
    if "multipleOf" in of.said:
        low = -(-low // step) * step
    return low, max(low, high)


def _moments(of: Allowed, chance: random.Random) -> Iterator[Any]:
    low, high = of.said.get("minimum"), of.said.get("maximum")
    first = _as_day(low) if low is not None else of.day
    last = _as_day(high) if high is not None else first + timedelta(days=365)
    if of.end is not None:
        last = min(last, of.end - timedelta(days=1))
    days = (last - first).days
    yield _moment(of, first, time.min)
    yield _moment(of, last, time.min if high is not None else time(23, 59, 59, 999_999))
    number = 0
    while True:
        number += 1
        day = first + timedelta(days=number % (days + 1))
        yield _moment(of, day, time(chance.randrange(24), chance.randrange(60), number % 60))


def _moment(of: Allowed, day: date, at: time) -> Any:
    family = of.column.type.family
    if family is Family.DATE:
        return day
    zone = UTC if family is Family.TIMESTAMP_TZ else None
    moment = datetime.combine(day, at, zone)
    low, high = of.said.get("minimum"), of.said.get("maximum")
    if isinstance(low, datetime) and moment < low:
        return low
    return high if isinstance(high, datetime) and moment > high else moment


def _as_day(value: Any) -> date:
    return value.date() if isinstance(value, datetime) else value


def _texts(of: Allowed, chance: random.Random) -> Iterator[str]:
    least, most = of.said.get("minLength", 0), of.said.get("maxLength")
    format_ = of.said.get("format") or of.column.text_format
    number = 0
    if not format_ and "pattern" not in of.said:
        yield "ä" * max(least, 1)
        if most is not None:
            yield "x" * most
    while True:
        number += 1
        if format_ in _FORMATS:
            text = _FORMATS[format_](number, chance)
        elif "pattern" in of.said:
            text = text_of(of.said["pattern"], chance)
        else:
            text = f"{of.column.name} {number}".ljust(least, "x")
        if most is not None and len(text) > most:
            text = str(number).rjust(max(least, 1), "0")
        yield text


_FORMATS = {
    "email": lambda number, chance: f"person{number}@example.com",
    "uuid": lambda number, chance: str(uuid.UUID(int=chance.getrandbits(128), version=4)),
    "uri": lambda number, chance: f"https://example.com/{number}",
    "hostname": lambda number, chance: f"host{number}.example.com",
    "ipv4": lambda number, chance: f"192.0.2.{number % 256}",
    "ipv6": lambda number, chance: f"2001:db8::{number % 0xFFFF:x}",
    "date": lambda number, chance: (_DAY + timedelta(days=number % 3_650)).isoformat(),
}
