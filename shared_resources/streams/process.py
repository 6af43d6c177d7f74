"""The process of a stream: window after window from the log to the stores.

Belongs here: gathering a window, going on from the product's own position, losing a race, ending.
Does not belong here: what becomes of a window (`window.py`), the log (`log/`), Dagster.

It waits for nobody but the log and the stores. Who is killed at any point has changed nothing, or
committed a whole window with its position; the next one goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from shared_resources.data_products.definition import ProductDefinition
from shared_resources.environment import Environment
from shared_resources.evidence.stream_position import Skipped
from shared_resources.stores.protocol import MovedOn
from shared_resources.streams.log.port import Log, LogReader, Positions, TopicState, message_schema
from shared_resources.streams.standing import (
    AcceptedGaps,
    Gap,
    MessagesGone,
    begin_at,
    check_topic,
    standing,
)
from shared_resources.streams.tidying import withdraw_uncommitted
from shared_resources.streams.window import Committed, Window, commit_window

# What a window may hold at most: memory stays bounded when the process is behind.
MOST_MESSAGES = 500_000
MOST_BYTES = 256 << 20
_LONGEST_WAIT = 0.5  # how long a stop may be waited for


@dataclass
class StreamProcess:
    """One of the processes that make a product of its topic; they share its partitions.

    `stopping` is asked often; what is gathered by then is committed. `told` hears of each commit.
    """

    environment: Environment
    definition: ProductDefinition
    log: Log
    run_id: str
    stopping: Callable[[], bool]
    told: Callable[[Committed, Window], None] = lambda committed, window: None
    _begins: dict[int, int] = field(default_factory=dict)  # where the next window begins
    _skipped: tuple[Skipped, ...] = ()
    _gathered: list[pa.Table] = field(default_factory=list)

    @property
    def group(self) -> str:
        """The group's name in the log, whose positions are for displays alone."""
        contract = self.definition.contract
        return f"mesh.{contract.domain}.{contract.name}"

    def run(self, until: Positions | None = None) -> None:
        """Commit windows until it is stopped; with `until` until the product has these positions.

        Raises `MessagesGone` when the topic has lost messages that were not read, and `LogProblem`.
        """
        topic = self._check()
        reader = self.log.reader(topic.name, self.group, self)
        try:
            while not self.stopping():
                if until is not None and self._is_at(until):
                    return
                window = self._gather(reader, topic)
                if window is not None:
                    self._commit(reader, window)
        finally:
            reader.close()

    def _check(self) -> TopicState:
        """The topic as it is, of which nothing is gone but what somebody said may be."""
        topic, gap = self._look()
        if gap is not None and not self._skipped:
            raise MessagesGone(
                f"{gap.why}. Nothing was changed. If it is to go on without them: "
                f'`mesh stream {self.definition.key} --skip --reason "…"`'
            )
        return topic

    def _look(self) -> tuple[TopicState, Gap | None]:
        contract = self.definition.contract
        assert contract.stream is not None
        topic = self.log.topic(contract.stream.topic)
        gap = check_topic(contract, topic, standing(self.environment, contract))
        assert topic is not None
        if gap is None:
            self._skipped = ()
        else:
            accepted = AcceptedGaps(self.environment.state, contract.key)
            self._skipped = accepted.skipped(gap)
        return topic, gap

    # -- the partitions ------------------------------------------------------------------------------

    def given(self, partitions: Sequence[int]) -> Positions:
        """See `log.port.Assignment`."""
        topic, gap = self._look()
        contract = self.definition.contract
        at = standing(self.environment, contract)
        begins = dict(begin_at(topic, at, gap, partitions))
        self._begins |= begins
        withdraw_uncommitted(self.environment, contract, at)
        return begins

    def taken(self, partitions: Sequence[int]) -> None:
        """See `log.port.Assignment`: what was gathered of them is another's to read."""
        gone = pa.array(partitions, pa.int32())
        for partition in partitions:
            self._begins.pop(partition, None)
        self._gathered = [
            table.filter(pc.invert(pc.is_in(table.column("partition"), value_set=gone)))
            for table in self._gathered
        ]

    # -- windows -------------------------------------------------------------------------------------

    def _gather(self, reader: LogReader, topic: TopicState) -> Window | None:
        """The messages of one window; None when none came for a while."""
        stream = self.definition.contract.stream
        assert stream is not None
        self._gathered = []
        ends = time.monotonic() + stream.window_seconds
        rows = size = 0
        while rows < MOST_MESSAGES and size < MOST_BYTES and not self.stopping():
            left = ends - time.monotonic()
            if left <= 0:
                break
            taken = reader.take(MOST_MESSAGES - rows, min(left, _LONGEST_WAIT))
            if not taken.num_rows:
                if rows == 0:
                    return None
                continue
            if rows == 0:  # a window begins with its first message
                ends = time.monotonic() + stream.window_seconds
            self._gathered.append(taken)
            rows += taken.num_rows
            size += taken.nbytes
        messages = pa.concat_tables(self._gathered or [message_schema().empty_table()])
        self._gathered = []
        positions = reader.positions()
        moved = {p: end for p, end in positions.items() if end != self._begins.get(p, end)}
        if not messages.num_rows or not moved:
            return None
        begins = {partition: self._begins[partition] for partition in moved}
        return Window(topic.name, topic.id, messages, begins, moved, self._skipped)

    def _commit(self, reader: LogReader, window: Window) -> None:
        """Commit the window; who finds that another has read the same goes on from there."""
        contract = self.definition.contract
        while True:
            at = standing(self.environment, contract)
            theirs = at.position.positions if at.position is not None else {}
            lost = at.position is not None and at.position.topic_id == window.topic_id and any(
                theirs.get(partition, begin) != begin for partition, begin in window.begins.items()
                if not _after_gap(window, partition)
            )
            if lost:
                again = {p: theirs.get(p, window.begins[p]) for p in window.begins}
                self._begins |= again
                reader.seek(again)
                return
            try:
                committed = commit_window(
                    self.environment, self.definition, window, at, self.run_id
                )
            except MovedOn:
                continue
            self._begins |= window.ends
            self._skipped = ()
            reader.show(window.ends)
            self.told(committed, window)
            return

    def _is_at(self, until: Positions) -> bool:
        return all(self._begins.get(partition, 0) >= end for partition, end in until.items())


def _after_gap(window: Window, partition: int) -> bool:
    return any(one.partition == partition for one in window.skipped)


def drain(
    environment: Environment,
    definition: ProductDefinition,
    log: Log,
    run_id: str,
    told: Callable[[Committed, Window], None],
    stopping: Callable[[], bool] = lambda: False,
) -> Mapping[int, int]:
    """Commit what the topic holds now, and return up to where that was. Raises as `StreamProcess.run`."""
    process = StreamProcess(environment, definition, log, run_id, stopping, told)
    stream = definition.contract.stream
    assert stream is not None
    topic = log.topic(stream.topic)
    ends = topic.ends if topic is not None else {}
    process.run(until=ends)
    return ends
