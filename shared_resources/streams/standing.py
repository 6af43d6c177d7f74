"""Where a product stands in its topic, by its own commits alone; and what of the topic is gone.

Belongs here: positions to go on from, messages that were lost before they could be read, and a
person's word that the product goes on without them.
Does not belong here: reading messages (`process.py`), committing positions (`data_products/`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.evidence.record import stream_in
from shared_resources.evidence.stream_position import Skipped, StreamPosition
from shared_resources.problems import MeshProblem
from shared_resources.state.database import TABLES, StateDatabase, Words, insert
from shared_resources.streams.log.port import LogProblem, TopicState

_ACCEPTED = sa.Table(
    "mesh_stream_gaps",
    TABLES,
    sa.Column("product", sa.Text, primary_key=True),
    sa.Column("gap", sa.Text, primary_key=True),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("reason", Words, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
)


class MessagesGone(MeshProblem):
    """Messages were removed from the topic before they were read; the message says which. Nothing that
    is started again goes on: somebody has to accept it (`exit_code` 2)."""

    exit_code = 2


@dataclass(frozen=True)
class Standing:
    """The leading store's current version, 0 for none, and how far it goes; `rows` are what it has, and
    `restored` is the number of the last rollback, after which the same messages are another batch. `who`
    stands there, in words."""

    number: int
    rows: int
    position: StreamPosition | None
    restored: int = 0
    who: str = "the product"


@dataclass(frozen=True)
class Gap:
    """What is missing between where the product is and what the topic holds. `lost` are (partition, first
    missing offset, first offset that is there); `why` is for people, `topic_id` the topic's now."""

    topic_id: str
    lost: tuple[tuple[int, int, int], ...]
    why: str

    @property
    def name(self) -> str:
        return json.dumps([self.topic_id, self.lost])


def standing(environment: Environment, contract: Contract) -> Standing:
    """Raises what the store raises that cannot be read."""
    versions = environment.stores_of(contract)[0].versions(contract.key)
    if not versions:
        return Standing(0, 0, None)
    last = versions[-1]
    restored = next((v.number for v in reversed(versions) if v.rollback_of is not None), 0)
    return Standing(last.number, last.rows, stream_in(last.properties), restored)


def group_of(environment: Environment, contract: Contract) -> str:
    """The name of the product's readers in the log, whose positions there are for displays alone."""
    return f"{environment.group_of_readers}.{contract.domain}.{contract.name}"


def look_at_topic(
    environment: Environment, contract: Contract, at: Standing
) -> tuple[TopicState, Gap | None]:
    """The product's topic now, and what of it is gone. Raises `LogProblem` without such a topic."""
    assert contract.stream is not None
    name = contract.stream.topic
    topic = environment.log.topic(name)
    if topic is None:
        raise LogProblem(
            f"{contract.key}: there is no topic {name!r} in {environment.log}; make it (`mesh stream "
            f"send` with --partitions does), or correct `stream.topic` in {contract.path}"
        )
    return topic, check_topic(contract, topic, at)


def look(
    environment: Environment, contract: Contract
) -> tuple[TopicState, Gap | None, Standing, tuple[Skipped, ...]]:
    """The topic, what of it is gone, where the product stands, and what was said of the gap.

    Raises `MessagesGone` for a gap that nobody has accepted, and `LogProblem`.
    """
    at = standing(environment, contract)
    topic, gap = look_at_topic(environment, contract, at)
    skipped = AcceptedGaps(environment.state, contract.key).skipped(gap) if gap else ()
    if gap is not None and gap.lost and not skipped:
        raise MessagesGone(
            f"{gap.why}. Nothing was changed. If it is to go on without them: "
            f'`mesh stream skip {contract.key} --reason "…"`'
        )
    return topic, gap, at, skipped


def waiting(environment: Environment, contract: Contract) -> int:
    """How many offsets of the topic the product has not read. Raises as `look_at_topic`."""
    at = standing(environment, contract)
    topic, _ = look_at_topic(environment, contract, at)
    return unread(topic, at)


def unread(topic: TopicState, at: Standing) -> int:
    """How many offsets of the topic come after where the product stands: at most so many messages."""
    begins = begin_at(topic, at, None, sorted(topic.ends))
    return sum(max(0, end - begins[partition]) for partition, end in topic.ends.items())


def check_topic(contract: Contract, topic: TopicState, at: Standing) -> Gap | None:
    """What is gone of the topic that the product has not read."""
    stream = contract.stream
    assert stream is not None
    position = at.position
    if position is None:
        return None
    if position.topic != stream.topic:
        why = f"was made of the topic {position.topic!r}, and the contract names {topic.name!r} now"
        return _anew(contract, topic, position, why)
    if position.topic_id != topic.id:
        return _anew(contract, topic, position, "the topic was deleted and made anew")
    return _cut(contract, topic, position, at.who)


def _anew(contract: Contract, topic: TopicState, position: StreamPosition, why: str) -> Gap:
    """Nobody knows what the other topic still held: it is named by where the product was."""
    lost = tuple(
        (p, position.positions[p], position.positions[p]) for p in sorted(position.positions)
    )
    where = ", ".join(f"{partition} at {offset}" for partition, offset, _ in lost)
    return Gap(
        topic.id,
        lost,
        f"{contract.key}: {why}; it had read partition {where}. What came after that in the old one and "
        "was not read is gone",
    )


def _cut(contract: Contract, topic: TopicState, position: StreamPosition, who: str) -> Gap | None:
    lost: list[tuple[int, int, int]] = []
    said: list[str] = []
    for partition in sorted({*position.positions, *topic.ends}):
        begin, end = topic.begins.get(partition), topic.ends.get(partition)
        ours = position.positions.get(partition, 0)
        if begin is None or end is None:
            said.append(f"partition {partition} is gone, of which {ours:,} offsets were read")
            lost.append((partition, ours, ours))
        elif begin > ours:
            said.append(
                f"partition {partition} begins at {begin:,} and {who} stands at {ours:,}: up to "
                f"{begin - ours:,} messages went before they were read"
            )
            lost.append((partition, ours, begin))
        elif end < ours:
            said.append(
                f"partition {partition} ends at {end:,} and {who} has read up to {ours:,}: the log "
                "was put back or cut"
            )
            lost.append((partition, ours, end))
    if not lost:
        return None
    return Gap(topic.id, tuple(lost), f"{contract.key}: " + "; ".join(said))


class AcceptedGaps:
    """What persons have said of gaps of one product."""

    def __init__(self, database: StateDatabase, product: str) -> None:
        self._database = database
        self._product = product

    def accept(self, gap: Gap, by: str, reason: str) -> None:
        values = {"by": by, "reason": reason, "at": datetime.now(UTC).isoformat(timespec="seconds")}
        with self._database.begin() as connection:
            statement = insert(connection, _ACCEPTED).values(
                product=self._product, gap=gap.name, **values
            )
            keys = [_ACCEPTED.c.product, _ACCEPTED.c.gap]
            connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))

    def skipped(self, gap: Gap) -> tuple[Skipped, ...]:
        """What is said in the next commit of a gap that was accepted; nothing of one that was not.

        Of several partitions one may be committed before the others: what is left is accepted, too.
        """
        columns = (_ACCEPTED.c.gap, _ACCEPTED.c.by, _ACCEPTED.c.reason, _ACCEPTED.c.at)
        wanted = sa.select(*columns).where(_ACCEPTED.c.product == self._product)
        with self._database.begin() as connection:
            rows = connection.execute(wanted.order_by(_ACCEPTED.c.at.desc())).all()
        for row in rows:
            name, by, reason, at = row._tuple()
            topic_id, lost = json.loads(name)
            if topic_id == gap.topic_id and set(gap.lost) <= set(map(tuple, lost)):
                return tuple(Skipped(*one, by, reason, at) for one in gap.lost)
        return ()


def begin_at(
    topic: TopicState, at: Standing, gap: Gap | None, partitions: Sequence[int]
) -> Mapping[int, int]:
    """From where the partitions are read: after a gap from what is there."""
    known: Mapping[int, int] = {}
    if at.position is not None and at.position.topic_id == topic.id:
        known = at.position.positions
    after = {partition: next_ for partition, _, next_ in gap.lost} if gap is not None else {}
    anew = gap is not None and at.position is not None and at.position.topic_id != topic.id
    begins = topic.begins
    return {
        one: begins[one] if anew else after.get(one, known.get(one, begins[one]))
        for one in partitions
    }
