"""The cursor of a stream sensor: what Dagster was told of each product.

Belongs here: its form, and what is made of one that is none, or of an earlier platform's.
Does not belong here: telling (`stream_sensor.py`).

Nothing is lost with a cursor: what it does not say is told again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from shared_resources.observing.health import Health
from shared_resources.stores.protocol import Version


@dataclass(frozen=True)
class Told:
    """`version` is the number of the last version that was told, and `published` when it was published:
    a product that was made anew counts from the first again. `health` stands for the reasons that
    were told, and `looked_at` is when they were looked for, in seconds since 1970."""

    version: int = 0
    published: str = ""
    health: str = ""
    looked_at: float = 0.0

    def is_of(self, current: Version) -> bool:
        return (self.version, self.published) == (current.number, _moment(current))

    def now(self, current: Version) -> Told:
        return replace(self, version=current.number, published=_moment(current))

    def looked(self, health: Health, at: float) -> Told:
        """Of reasons that nobody did wrong the kinds alone: how much waits differs at every look."""
        reasons = [str(one) if one.failing else str(one.kind) for one in health.reasons]
        return replace(self, health="; ".join(reasons) or health.state, looked_at=at)


def read_cursor(text: str | None) -> dict[str, Told]:
    """By product. Empty of one that this did not write: a person may set any."""
    try:
        written = json.loads(text) if text else {}
    except ValueError:
        return {}
    if not isinstance(written, dict):
        return {}
    return {str(key): _told(one) for key, one in written.items()}


def write_cursor(told: Mapping[str, Told]) -> str:
    """Of the products that there are: what was said of another one goes."""
    return json.dumps({key: asdict(one) for key, one in told.items()})


def _told(written: Any) -> Told:
    match written:
        case {
            "version": int(version),
            "published": str(published),
            "health": str(health),
            "looked_at": int() | float() as at,
        }:
            return Told(version, published, health, float(at))
        case _:  # of an earlier platform the number alone
            return Told()


def _moment(version: Version) -> str:
    return version.published_at.isoformat()
