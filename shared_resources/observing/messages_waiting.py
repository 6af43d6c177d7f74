"""The health of a product that is made of a topic: what of it waits, and what is gone.

Belongs here: the reasons that the topic gives.
Does not belong here: where a product stands in its topic (`streams/standing.py`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.observing.health import Kind, Reason
from shared_resources.stores.protocol import Version

# A process that runs commits once a window. So many later it stands still, or is behind.
WINDOWS = 10
_SHORTEST = timedelta(minutes=1)


def of_topic(
    environment: Environment, contract: Contract, current: Version | None
) -> tuple[list[Reason], int | None]:
    """The reasons, and up to how many messages wait; None of a product that is made otherwise, and where
    nobody has sent anything. Raises what the log raises that does not answer."""
    if contract.stream is None:
        return [], None
    from shared_resources.streams.standing import AcceptedGaps, look_at_topic, standing, unread

    if current is None and environment.log.topic(contract.stream.topic) is None:
        return [], None  # nobody has sent anything yet: that it was never published is said already
    at = standing(environment, contract)
    topic, gap = look_at_topic(environment, contract, at)
    lag = unread(topic, at)
    if gap is not None and not AcceptedGaps(environment.state, contract.key).skipped(gap):
        remedy = f"find what was in them, then `mesh stream skip {contract.key} --reason ...`"
        return [Reason(Kind.HOLES, gap.why, remedy)], lag
    since = current.published_at if current is not None else datetime.min.replace(tzinfo=UTC)
    patience = max(_SHORTEST, timedelta(seconds=WINDOWS * contract.stream.window_seconds))
    if datetime.now(UTC) - since <= patience or not lag:
        return [], lag
    why = f"up to {lag:,} messages of {contract.stream.topic} wait"
    remedy = f"`mesh stream {contract.key}` takes them, as long as it runs"
    return [Reason(Kind.BEHIND, why, remedy)], lag


def of_gate(environment: Environment, contract: Contract) -> list[Reason]:
    """What waits at the gate, where its processes have noted nothing for a while; nothing of a product
    without one, or where nobody has sent anything."""
    stream = contract.stream
    if stream is None or stream.gate is None or environment.log.topic(stream.topic) is None:
        return []
    from shared_resources.streams.gate.standing import accepted_gaps, gate_standing

    at = gate_standing(environment, contract)
    if at.gap is not None and not accepted_gaps(environment, contract).skipped(at.gap):
        remedy = (
            f"find what was in them, then `mesh stream skip {contract.key} --gate --reason ...`"
        )
        return [Reason(Kind.HOLES, at.gap.why, remedy)]
    noted = max((note.at for note in at.notes.values() if note.at is not None), default=None)
    if not at.waiting or (noted is not None and datetime.now(UTC) - noted <= _SHORTEST):
        return []
    by = f"`mesh stream gate {contract.key}`"
    if stream.gate.undecided:
        by = f"`mesh stream job {contract.key}`, with {by} beside it,"
    return [
        Reason(
            Kind.BEHIND,
            f"up to {at.waiting:,} messages of {stream.topic} wait at the gate to {stream.gate.topic}",
            f"{by} passes them on, as long as it runs",
        )
    ]
