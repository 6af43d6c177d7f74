"""Which of the objects that landed a contract means.

Belongs here: matching names with the contract's `landing.object`, the newest of several full
extracts, the partition that an object's name says it holds.
Does not belong here: listing objects (`landing/zones/zone.py`) or knowing which were ingested
(`arrivals/ledger/ledger.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from shared_resources.contracts.model import Landing, LandingMode, Partitioning
from shared_resources.contracts.reading.object_names import PARTITION
from shared_resources.landing.zones.zone import LandingObject


@dataclass(frozen=True)
class Unmatched:
    """An object that the contract says nothing about, and why; people are told of each."""

    object: LandingObject
    reason: str

    def __str__(self) -> str:
        return f"{self.object.key}: {self.reason}"


@dataclass(frozen=True)
class Matched:
    """What the contract means. `newest` is set in REPLACE mode, `by_partition` in PARTITION mode.

    `superseded` are full extracts that a newer one replaces, the newest first.
    """

    newest: LandingObject | None = None
    superseded: tuple[LandingObject, ...] = ()
    by_partition: Mapping[str, LandingObject] = field(default_factory=dict)
    unmatched: tuple[Unmatched, ...] = ()

    @property
    def candidates(self) -> tuple[LandingObject, ...]:
        """Every matching full extract of REPLACE mode, the newest last."""
        return (*reversed(self.superseded), *((self.newest,) if self.newest else ()))


def match(
    landing: Landing, objects: Iterable[LandingObject], partitioning: Partitioning | None = None
) -> Matched:
    """Sort the objects below the landing prefix by what they are to the contract.

    With `partitioning`, an object of a day outside the product's partitions is unmatched too.
    """
    pattern = _pattern(landing.object_name)
    named: list[tuple[LandingObject, str]] = []
    unmatched: list[Unmatched] = []
    for obj in sorted(objects, key=lambda obj: (obj.modified_at, obj.key), reverse=True):
        found = pattern.fullmatch(_name(landing, obj))
        reason = _mismatch(landing, found, partitioning)
        if found is None or reason:
            unmatched.append(Unmatched(obj, reason))
        else:
            named.append((obj, found.groupdict().get("partition", "")))
    unmatched.sort(key=lambda one: one.object.key)
    if landing.mode is LandingMode.PARTITION:
        by_partition = {partition: obj for obj, partition in named}
        return Matched(by_partition=dict(sorted(by_partition.items())), unmatched=tuple(unmatched))
    extracts = [obj for obj, _ in named]
    return Matched(
        newest=extracts[0] if extracts else None,
        superseded=tuple(extracts[1:]),
        unmatched=tuple(unmatched),
    )


def _name(landing: Landing, obj: LandingObject) -> str:
    """The object's name below the prefix."""
    return obj.key.removeprefix(landing.prefix.strip("/") + "/")


def _pattern(object_name: str) -> re.Pattern[str]:
    """`*` stands for any characters but `/`, `{partition}` for a day, the rest for itself."""
    parts = re.split(r"(\*|\{partition\})", object_name)
    meanings = {"*": "[^/]*", PARTITION: r"(?P<partition>[^/]+?)"}
    return re.compile("".join(meanings.get(part, re.escape(part)) for part in parts), re.DOTALL)


def _mismatch(
    landing: Landing, found: re.Match[str] | None, partitioning: Partitioning | None
) -> str:
    """Why an object is none of the contract's, or ``""``."""
    if found is None:
        return f"its name does not match the contract's {landing.object_name!r}"
    if landing.mode is LandingMode.REPLACE:
        return ""
    text = found["partition"]
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # fromisoformat also reads 20170301 and 2017-W09-3: one day must have one name.
    if day is None or day.isoformat() != text:
        return f"{text!r} in its name is no day such as 2017-03-01"
    if partitioning and day < partitioning.start:
        return f"{text} lies before the product's first partition {partitioning.start}"
    if partitioning and partitioning.end and day >= partitioning.end:
        return f"{text} lies after the product's last partition (end {partitioning.end})"
    return ""
