"""How far into a topic a version goes: the one place where that is kept.

Belongs here: the positions that are committed with a version of a stream's product, in text and back.
Does not belong here: the log and its readers (the room `streams/`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

# A producer makes up names as it likes: a commit holds some of them.
MOST_NAMES, LONGEST_NAME = 20, 64


@dataclass(frozen=True)
class Skipped:
    """Messages `first` to before `next` of a partition that were gone before they could be read, and who
    said, when (ISO 8601) and why, that the product goes on without them."""

    partition: int
    first: int
    next: int
    by: str
    reason: str
    at: str

    @property
    def messages(self) -> int:
        """At most: aborted ones and the log's own marks are among them."""
        return max(0, self.next - self.first)

    @property
    def told(self) -> str:
        """For people. Of a topic that was made anew, nobody knows how many were left in the old one."""
        if self.messages:
            return f"offsets {self.first} to {self.next - 1} of partition {self.partition}"
        return f"what was in partition {self.partition} from offset {self.first} on"


@dataclass(frozen=True)
class LeftOut:
    """Fields of messages that the contract does not know, and says to leave out: how many there are, and
    the names of the first, never what stood in them."""

    fields: int = 0
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: Collection[str]) -> LeftOut:
        shown = sorted(name.encode("utf-8", "replace").decode() for name in names)[:MOST_NAMES]
        return cls(len(names), tuple(name[:LONGEST_NAME] for name in shown))

    @property
    def told(self) -> str:
        more = self.fields - len(self.names)
        return ", ".join(self.names) + (f" and {more} more" if more else "")


@dataclass(frozen=True)
class StreamPosition:
    """`positions` are, by partition of the topic, the offset of the first message that is neither
    published, nor rejected, nor skipped. The other numbers are of this one commit: messages taken,
    of these `rejected`, and those without a value (`tombstones`), and what was
    `left_out` of their fields. `engine` is there when another than the
    platform decoded the messages: each of them was then found once in what it gave, and nothing else.
    """

    topic: str
    topic_id: str
    positions: Mapping[int, int] = field(default_factory=dict)
    messages: int = 0
    rejected: int = 0
    tombstones: int = 0
    skipped: tuple[Skipped, ...] = ()
    engine: str = ""
    left_out: LeftOut = LeftOut()

    def on(self, before: StreamPosition | None) -> StreamPosition:
        """With the partitions that others have read, as `before` has them."""
        if before is None or before.topic_id != self.topic_id:
            return self
        return replace(self, positions={**before.positions, **self.positions})

    def text(self) -> str:
        written: dict[str, Any] = {
            "topic": self.topic,
            "id": self.topic_id,
            "positions": {str(key): self.positions[key] for key in sorted(self.positions)},
            "messages": self.messages,
            "rejected": self.rejected,
            "tombstones": self.tombstones,
        }
        if self.skipped:
            written["skipped"] = [vars(one) for one in self.skipped]
        if self.engine:
            written |= {"engine": self.engine, "reconciled": self.messages}
        if self.left_out.fields:
            written["leftOut"] = vars(self.left_out)
        return json.dumps(written, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def read(cls, text: str) -> StreamPosition:
        """Raises `ValueError`, `KeyError` or `TypeError` for what this did not write."""
        written = json.loads(text)
        return cls(
            str(written["topic"]),
            str(written["id"]),
            {int(key): int(value) for key, value in written["positions"].items()},
            int(written["messages"]),
            int(written["rejected"]),
            int(written["tombstones"]),
            tuple(Skipped(**one) for one in written.get("skipped", ())),
            str(written.get("engine", "")),
            _left_out(written.get("leftOut") or {}),
        )


def _left_out(written: Mapping[str, Any]) -> LeftOut:
    return LeftOut(int(written.get("fields", 0)), tuple(map(str, written.get("names", ()))))
