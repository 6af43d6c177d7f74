"""What was rejected, as it is kept: why, of which batch, and what became of it since.

Belongs here: what an entry of the quarantine says, and whether it is still open.
Does not belong here: keeping and finding entries (`quarantine.py`), which version took an entry's
place (`settlement.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared_resources.contracts.model import UNPARTITIONED

KINDS = ("batch", "rows", "object", "messages", "window")
OF_MESSAGES = ("messages", "window")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Rejection:
    """What was rejected, and why. `reasons` are (rule, clause, rows failed, message).

    `kind`: `batch`, refused whole; `rows`, set aside within the loss budget; `object`, a landing
    object of which nothing could be read; `messages`, messages of a topic as they came, of which each
    breaks the contract; `window`, all messages of one, of which too many do. `inputs` are the upstream
    versions by product key, `objects` the landing objects as (key, etag), or (topic[partition], offsets)
    of a stream, `parent` the entry that was replayed, `on_top_of` the number of the leading store's
    version that was current then (0: none).
    """

    product: str
    kind: str
    batch_id: str
    run_id: str
    rows: int
    reasons: tuple[tuple[str, str, int, str], ...]
    contract_version: str
    contract_digest: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    partitions: tuple[str, ...] = (UNPARTITIONED,)
    objects: tuple[tuple[str, str], ...] = ()
    parent: str | None = None
    on_top_of: int | None = None


@dataclass(frozen=True)
class Replay:
    """A version that published (what passed of) an entry."""

    version: int
    at: datetime


@dataclass(frozen=True)
class Closing:
    """Someone has decided that nothing is to be done about an entry any more."""

    by: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class QuarantineEntry(Rejection):
    """A kept rejection. `at` is when; `replays` are the versions that published it since.

    `replaced_by`, the version that took its place, is found by `settlement.py`: the quarantine by
    itself knows it only of versions that have expired.
    """

    id: str = ""
    at: datetime = _NEVER
    file_names: tuple[str, ...] = ()
    replays: tuple[Replay, ...] = ()
    superseded_by: str | None = None
    closed: Closing | None = None
    replaced_by: int | None = None

    @property
    def settled(self) -> str:
        """How it was settled, for people; empty while there is still something to decide."""
        if self.replays:
            return "replayed as " + ", ".join(f"v{one.version}" for one in self.replays)
        if self.closed is not None:
            return f"closed by {self.closed.by}: {self.closed.reason}"
        if self.replaced_by is not None:
            return f"replaced by v{self.replaced_by}"
        return f"superseded by {self.superseded_by}" if self.superseded_by else ""

    @property
    def beside_its_batch(self) -> bool:
        """Whether the others of its batch were published: then no later batch takes its place."""
        return self.kind in ("rows", *OF_MESSAGES)

    @property
    def open(self) -> bool:
        """Whether there is still something to decide."""
        return not self.settled

    @property
    def may_stand(self) -> bool:
        """Whether it is open, or is again by a rollback to before its replay."""
        return self.open or (
            self.kind in OF_MESSAGES and bool(self.replays) and self.closed is None
        )
