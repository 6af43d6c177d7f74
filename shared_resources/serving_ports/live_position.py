"""How far live rows are in their topic, as it stands beside a generation's position.

Belongs here: writing it as the position's note, and reading it back. Does not belong here: who moves it
(`streams/live/`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class LivePosition:
    """`positions`: by partition, the offset of the first message that the rows do not know. `at` is when
    that was written."""

    topic: str
    topic_id: str
    positions: Mapping[int, int]
    at: datetime

    @property
    def text(self) -> str:
        where = {str(partition): at for partition, at in sorted(self.positions.items())}
        return json.dumps(
            {"topic": self.topic, "id": self.topic_id, "at": self.at.isoformat(), "next": where}
        )

    @classmethod
    def of(cls, text: str) -> LivePosition | None:
        """None of a note that is empty or another's."""
        try:
            said = json.loads(text)
            positions = {int(partition): int(at) for partition, at in said["next"].items()}
            return cls(said["topic"], said["id"], positions, datetime.fromisoformat(said["at"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def age(self, now: datetime | None = None) -> float:
        return max(0.0, ((now or datetime.now(UTC)) - self.at).total_seconds())
