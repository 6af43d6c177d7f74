"""Where a gate stands in its topic, what of the topic is gone, and what the mesh has noted of it.

Belongs here: positions to go on from, out of the log; what only the mesh knows, as which topic that was.
Does not belong here: reading and writing messages (`process.py`), where the product stands in the same
topic (`streams/standing.py`).

The positions are those of the gate's group in the log, where a transaction commits them with the
messages. The log forgets them with the topic, and those of a group that is away for long
(`offsets.retention.minutes` of Kafka's): so the mesh notes once in a while where they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import sqlalchemy as sa

from shared_resources.contracts.model import Contract
from shared_resources.contracts.streams.model import Delivery
from shared_resources.environment import Environment
from shared_resources.evidence.stream_position import StreamPosition
from shared_resources.state.database import TABLES, StateDatabase, insert
from shared_resources.streams.log.port import Positions, TopicState
from shared_resources.streams.standing import (
    AcceptedGaps,
    Gap,
    Standing,
    check_topic,
    group_of,
    look_at_topic,
)

_NOTED = sa.Table(
    "mesh_gates",
    TABLES,
    sa.Column("gate", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("topic_id", sa.Text, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("committed", sa.Boolean, nullable=False),
    sa.Column("passed", sa.BigInteger, nullable=False),
    sa.Column("rejected", sa.BigInteger, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
)


@dataclass(frozen=True)
class Note:
    """Of one partition: where the gate was, and whether the log was told of it (`committed`). `passed`
    and `rejected` count messages since the first; who was killed had not noted its last ones."""

    topic: str
    topic_id: str
    position: int
    committed: bool = False
    passed: int = 0
    rejected: int = 0
    at: datetime | None = None


@dataclass(frozen=True)
class GateStanding:
    """`positions` are where the gate goes on, of the partitions in which it ever was; after a gap, if
    that is accepted."""

    topic: TopicState
    positions: Positions
    gap: Gap | None
    notes: Mapping[int, Note]

    @property
    def waiting(self) -> int:
        """How many offsets of the topic it has not read: at most so many messages."""
        begins = {p: self.positions.get(p, self.topic.begins[p]) for p in self.topic.ends}
        return sum(max(0, end - begins[p]) for p, end in self.topic.ends.items())


def gate_of(environment: Environment, contract: Contract) -> str:
    """The name of the gate's readers in the log, and of what is kept of it in the mesh's state."""
    stream = contract.stream
    of_the_rest = ".undecided" if stream is not None and stream.undecided_of else ""
    return f"{group_of(environment, contract)}.gate{of_the_rest}"


def gate_standing(environment: Environment, contract: Contract) -> GateStanding:
    """Raises `LogProblem` without the stream's topic."""
    stream = contract.stream
    assert stream is not None and stream.gate is not None
    gate = gate_of(environment, contract)
    notes = read_notes(environment.state, gate)
    topic, _ = look_at_topic(environment, contract, Standing(0, 0, None))
    ours = {p: note for p, note in notes.items() if note.topic_id == topic.id}
    if others := {p: note for p, note in notes.items() if p not in ours}:
        return _of_another_topic(environment, contract, topic, notes, others)
    known = {p: note.position for p, note in ours.items()}
    told = _in_log(environment, contract, gate)
    forgotten = sorted(p for p, note in ours.items() if note.committed and p not in told)
    if forgotten and stream.gate.delivery is Delivery.EXACTLY_ONCE:
        gap = _forgotten(contract, topic, {p: ours[p] for p in forgotten})
        return GateStanding(topic, known | told, gap, notes)
    at = StreamPosition(topic.name, topic.id, {**known, **told})
    gap_cut = (
        check_topic(contract, topic, Standing(0, 0, at, who="the gate")) if at.positions else None
    )
    after = {p: next_ for p, _, next_ in gap_cut.lost} if gap_cut else {}
    return GateStanding(topic, {**at.positions, **after}, gap_cut, notes)


def accepted_gaps(environment: Environment, contract: Contract) -> AcceptedGaps:
    return AcceptedGaps(environment.state, gate_of(environment, contract))


def read_notes(database: StateDatabase, gate: str) -> dict[int, Note]:
    columns = [
        _NOTED.c[name]
        for name in ("topic", "topic_id", "position", "committed", "passed", "rejected", "at")
    ]
    wanted = sa.select(_NOTED.c.partition, *columns).where(_NOTED.c.gate == gate)
    with database.begin() as connection:
        rows = connection.execute(wanted).all()
    notes = {}
    for row in rows:
        partition, *said, at = row._tuple()
        notes[partition] = replace(Note(*said), at=datetime.fromisoformat(at))
    return dict(sorted(notes.items()))


def write_notes(database: StateDatabase, gate: str, notes: Mapping[int, Note]) -> None:
    """Note where the gate is in these partitions; counts are added to what was noted before."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    with database.begin() as connection:
        for partition, note in notes.items():
            values = {
                "topic": note.topic,
                "topic_id": note.topic_id,
                "position": note.position,
                "committed": note.committed,
                "at": now,
            }
            statement = insert(connection, _NOTED).values(
                gate=gate,
                partition=partition,
                passed=note.passed,
                rejected=note.rejected,
                **values,
            )
            more = {
                "passed": _NOTED.c.passed + note.passed,
                "rejected": _NOTED.c.rejected + note.rejected,
            }
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[_NOTED.c.gate, _NOTED.c.partition], set_={**values, **more}
                )
            )


def _in_log(environment: Environment, contract: Contract, gate: str) -> dict[int, int]:
    """What the log was told last, by whichever delivery the contract had then."""
    stream = contract.stream
    assert stream is not None and stream.gate is not None
    told = dict(environment.log.positions_of(stream.topic, gate))
    for partition, position in environment.log.shown(stream.topic, gate).items():
        told[partition] = max(position, told.get(partition, position))
    return told


def _of_another_topic(
    environment: Environment,
    contract: Contract,
    topic: TopicState,
    notes: Mapping[int, Note],
    others: Mapping[int, Note],
) -> GateStanding:
    first = next(iter(others.values()))
    was = StreamPosition(
        first.topic, first.topic_id, {p: note.position for p, note in others.items()}
    )
    gap = check_topic(contract, topic, Standing(0, 0, was, who="the gate"))
    begun = {p: note.position for p, note in notes.items() if p not in others}
    told = _in_log(environment, contract, gate_of(environment, contract))
    begun |= {p: at for p, at in told.items() if p in begun}
    return GateStanding(topic, begun, gap, notes)


def _forgotten(contract: Contract, topic: TopicState, notes: Mapping[int, Note]) -> Gap:
    where = ", ".join(f"{p} at {note.position:,}" for p, note in notes.items())
    since = min(note.at for note in notes.values() if note.at is not None)
    return Gap(
        topic.id,
        tuple((p, note.position, note.position) for p, note in notes.items()),
        f"{contract.key}: the log does not know any more where the gate was; at {since:%Y-%m-%d %H:%M} "
        f"UTC it was in partition {where}. If it goes on there, what it passed since passes again",
    )
