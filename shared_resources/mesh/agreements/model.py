"""An access agreement, once it was read.

Belongs here: the immutable types. Does not belong here: the standard's form of it (`oaas.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from shared_resources.contracts.model import Classification


class Status(StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"


_PURPOSE = re.compile(r"[a-z][a-z0-9_]*")


def is_purpose_name(text: str) -> bool:
    return _PURPOSE.fullmatch(text) is not None


@dataclass(frozen=True)
class Purpose:
    """What data may be read for: of these classifications where no mask hides them."""

    description: str
    classifications: frozenset[Classification]


@dataclass(frozen=True)
class Consumer:
    """Who is served: a team (a domain), one product of it, or one person or agent (`user`)."""

    team: str = ""
    product: str = ""
    user: str = ""

    def __str__(self) -> str:
        if self.user:
            return self.user
        return f"{self.team}/{self.product}" if self.product else self.team


@dataclass(frozen=True)
class Agreement:
    """One agreement about the product `product` (`domain/name`).

    All moments are in UTC. `purpose` is the name of a central purpose, `usage` the reason in words.
    `decided_by` and `decided_at` are who approved or rejected it, and when; empty and None before.
    """

    id: str
    product: str
    consumer: Consumer
    purpose: str
    status: Status
    roles: tuple[str, ...]
    file: Path
    usage: str = ""
    starts: datetime | None = None
    ends: datetime | None = None
    reassessment: datetime | None = None
    decided_by: str = ""
    decided_at: datetime | None = None
    line: int = 0

    def begun(self, now: datetime) -> bool:
        return self.starts is None or self.starts <= now

    def over(self, now: datetime) -> bool:
        """Whether it has ended: the moment that it names is its last."""
        return self.ends is not None and self.ends < now

    def in_force(self, now: datetime) -> bool:
        return self.status is Status.APPROVED and self.begun(now) and not self.over(now)
