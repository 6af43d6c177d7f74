"""`slaProperties`: what the platform makes of them.

Belongs here: freshness (`latency`, `frequency`) and `retention` as lengths of time, and the closed
list of the standard's other properties, which describe and are not enforced.
Does not belong here: Dagster's freshness policy or the expiry of old versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.numbers import is_number

FRESHNESS = ("latency", "frequency")
RETENTION = ("retention",)
DESCRIPTIVE = (
    "availability", "throughput", "errorRate", "generalAvailability", "endOfSupport", "endOfLife",
    "timeOfAvailability", "timeToDetect", "timeToNotify", "timeToRepair",
)  # fmt: skip
UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), timedelta(seconds=1)),
    **dict.fromkeys(("min", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hr", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
    **dict.fromkeys(("w", "week", "weeks"), timedelta(weeks=1)),
    **dict.fromkeys(("mo", "month", "months"), timedelta(days=30)),
    **dict.fromkeys(("y", "yr", "year", "years"), timedelta(days=365)),
}


@dataclass(frozen=True)
class ServiceLevels:
    """`freshness` is the shorter of latency and frequency: a version is published so often."""

    freshness: timedelta | None
    retention: timedelta | None


def read_service_levels(root: Node, elements: frozenset[str]) -> ServiceLevels:
    """`elements` are what an SLA may be about: the table, and its columns as `table.column`."""
    lengths: dict[str, timedelta] = {}
    seen: set[str] = set()
    for item in root.each("slaProperties"):
        name = item.text("property")
        known = (*FRESHNESS, *RETENTION, *DESCRIPTIVE)
        if name not in known:
            if field := item.get("property"):
                field.problem(f"is {name!r}, which does not exist", suggest(name, known))
            continue
        _check_element(item, elements)
        if name in DESCRIPTIVE:
            continue
        if name in seen:
            item.problem(f"states {name} a second time", "keep one of the two")
        seen.add(name)
        length = _length(item)
        if length is not None:
            lengths.setdefault(name, length)
    fresh = [lengths[name] for name in FRESHNESS if name in lengths]
    return ServiceLevels(min(fresh, default=None), lengths.get("retention"))


def _check_element(item: Node, elements: frozenset[str]) -> None:
    field = item.get("element")
    if field is None or not isinstance(field.value, str):
        return
    for element in field.value.split(","):
        if element.strip() not in elements:
            message = f"is {element.strip()!r}, which does not exist"
            field.problem(message, suggest(element.strip(), elements))


def _length(item: Node) -> timedelta | None:
    value, unit = item.get("value"), item.get("unit")
    if value is None:
        return None
    if not is_number(value.value) or value.value <= 0:
        value.problem("is no length of time", "give a number above 0, and a unit")
        return None
    if unit is None:
        item.problem("has no unit", "add `unit: d`")
        return None
    if not isinstance(unit.value, str) or unit.value not in UNITS:
        if unit.value == "m":
            unit.problem("may mean minutes or months", "write min or mo")
        else:
            message = f"is {unit.value!r}, which does not exist"
            unit.problem(message, suggest(str(unit.value), UNITS))
        return None
    try:
        microseconds = Fraction(value.value) * (UNITS[unit.value] // timedelta(microseconds=1))
        length = timedelta(microseconds=round(microseconds))
    except OverflowError:
        value.problem("is too long", "give a shorter time")
        return None
    return length
