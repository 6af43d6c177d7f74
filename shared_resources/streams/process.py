"""The process of a stream: window after window from the log to the stores.

Belongs here: gathering a window, going on from the product's own position, losing a race, ending.
Does not belong here: what becomes of a window (`window.py`), the log (`log/`), Dagster.

It waits for nobody but the log and the stores. Who is killed at any point has changed nothing, or
committed a whole window with its position; the next one goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from shared_resources.contracts.model import Contract
from shared_resources.contracts.streams.model import Engine, Stream
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.environment import Environment
from shared_resources.evidence.record import stream_in
from shared_resources.evidence.stream_position import Skipped
from shared_resources.serving_ports.pacing import PacedServing
from shared_resources.stores.protocol import MovedOn, Overtaken
from shared_resources.streams.flink.reconciling import JobsRows
from shared_resources.streams.log.port import LogReader, Positions, TopicState, message_schema
from shared_resources.streams.standing import (
    Gap,
    MessagesGone,
    Standing,
    begin_at,
    group_of,
    look,
    standing,
)
from shared_resources.streams.tidying import withdraw_uncommitted
from shared_resources.streams.upkeep.thinning import thin
from shared_resources.streams.window import Committed, Window, commit_window

# What a window may hold at most: memory stays bounded when the process is behind.
MOST_MESSAGES = 500_000
MOST_BYTES = 256 << 20
PATIENCE = 30.0
COMMITS_PER_UPKEEP = 100
# For how long a window is tried that is refused for an erasure: those of a mesh take minutes.
REFUSED_SECONDS = 600.0
_LONGEST_WAIT = 0.5  # how long a stop may be waited for
_LONGEST_FOR_A_JOB, _MOMENT = 5.0, 0.1


@dataclass
class StreamProcess:
    """One of the processes that make a product of its topic; they share its partitions.

    `stopping` is asked often; what is gathered by then is committed. `told` hears of each commit.
    """

    environment: Environment
    definition: ProductDefinition
    run_id: str
    stopping: Callable[[], bool]
    told: Callable[[Committed, Window], None] = lambda committed, window: None
    _begins: dict[int, int] = field(default_factory=dict)  # where the next window begins
    _skipped: tuple[Skipped, ...] = ()
    _unsaid: set[int] = field(default_factory=set)  # of which no commit says where they stand
    _gathered: list[pa.Table] = field(default_factory=list)
    _commits: int = 0
    _untidy: bool = False  # whether the next commit may show that an entry is a dead process's
    _job: JobsRows | None = None  # what decodes the messages, if it is not this process

    def __post_init__(self) -> None:
        if self._stream.engine is Engine.FLINK:
            self._job = JobsRows(self.environment, self._contract)

    @property
    def _contract(self) -> Contract:
        return self.definition.contract

    @property
    def _stream(self) -> Stream:
        assert self._contract.stream is not None, "a product of another kind"
        return self._contract.stream

    def run(self, until: Positions | None = None, patience: float = PATIENCE) -> None:
        """Commit windows until it is stopped; with `until` until its partitions are as far as that, and
        no longer than `patience` seconds without any.

        Raises `MessagesGone` when the topic has lost messages that were not read, `LogProblem`, and
        `MovedOn` when an erasure does not end.
        """
        topic = self.check()
        group = group_of(self.environment, self._contract)
        reader = self.environment.log.reader(topic.name, group, self)
        alone_since = time.monotonic()  # since when it has no partition
        paced = PacedServing(self.environment, self._contract)
        try:
            while not self.stopping():
                window = self._gather(reader, topic, hurry=until is not None)
                if window is not None and self._job is not None:
                    window = self._with_rows(self._job, reader, window)
                if window is not None:
                    self._commit(reader, window)
                    paced.committed()
                paced.go_on()
                positions = reader.positions()
                if until is None or window is not None:
                    continue
                if positions:
                    alone_since = time.monotonic()
                    if all(positions[p] >= until.get(p, 0) for p in positions):
                        return
                elif time.monotonic() - alone_since > patience:
                    return  # others have all of its partitions
        finally:
            reader.close()
            paced.end()

    def check(self) -> TopicState:
        """The topic as it is, of which nothing is gone but what somebody said may be.

        Raises `MessagesGone`, and `LogProblem` where there is none."""
        topic, _, _ = self._look()
        return topic

    def _look(self) -> tuple[TopicState, Gap | None, Standing]:
        """Raises `MessagesGone` for a gap that nobody has accepted, whenever it came to be."""
        topic, gap, at, self._skipped = look(self.environment, self._contract)
        return topic, gap, at

    # -- the partitions ----------------------------------------------------------------------------

    def given(self, partitions: Sequence[int]) -> Positions:
        """See `log.port.Assignment`."""
        topic, gap, at = self._look()
        begins = dict(begin_at(topic, at, gap, partitions))
        self._begins |= begins
        known = at.position.positions if at.position is not None else {}
        self._unsaid |= begins.keys() - known.keys()
        self._untidy = withdraw_uncommitted(self.environment, self._contract, at)
        return begins

    def taken(self, partitions: Sequence[int]) -> None:
        """See `log.port.Assignment`: what was gathered of them is another's to read."""
        for partition in partitions:
            self._begins.pop(partition, None)
        gone = pa.array(partitions, pa.int32())
        self._gathered = [
            table.filter(pc.invert(pc.is_in(table.column("partition"), value_set=gone)))
            for table in self._gathered
        ]

    # -- windows -----------------------------------------------------------------------------------

    def _gather(self, reader: LogReader, topic: TopicState, *, hurry: bool) -> Window | None:
        """The messages of one window, which begins with its first; None when none came for a while. In a
        `hurry` it ends when nothing more is there."""
        self._gathered = []
        longest = self._stream.window_seconds
        ends = time.monotonic() + longest
        while self._rows < MOST_MESSAGES and self._bytes < MOST_BYTES and not self.stopping():
            left = ends - time.monotonic()
            if left <= 0:
                break
            taken = reader.take(MOST_MESSAGES - self._rows, min(left, _LONGEST_WAIT))
            if not taken.num_rows:
                if hurry or not self._rows:
                    break
                continue
            if not self._rows:
                ends = time.monotonic() + longest
            self._gathered.append(taken)
        messages = pa.concat_tables([message_schema().empty_table(), *self._gathered])
        self._gathered = []
        moved = {p: at for p, at in reader.positions().items() if at != self._begins.get(p, at)}
        if not messages.num_rows:
            return None
        # After a gap that was accepted the product stands where the log begins, if nothing came yet.
        # And one that was never read stands there too: what goes from it later was not read.
        said = {s.partition for s in self._skipped} | self._unsaid
        over = {p: self._begins[p] for p in said if p in self._begins}
        ends_at = over | moved
        begins = {partition: self._begins[partition] for partition in ends_at}
        return Window(topic.name, topic.id, messages, begins, ends_at, self._skipped)

    def _with_rows(self, job: JobsRows, reader: LogReader, window: Window) -> Window | None:
        """The window with what the job made of it; None, and it is read again, when that takes long: the
        group hears of a process at its reads alone. Raises `Unreconciled` and `NotStaged`."""
        until = time.monotonic() + _LONGEST_FOR_A_JOB
        while time.monotonic() < until and not self.stopping():
            if (rows := job.rows_of(window)) is not None:
                return replace(window, rows=rows)
            time.sleep(_MOMENT)
        reader.seek(window.begins)
        return None

    @property
    def _rows(self) -> int:
        return sum(table.num_rows for table in self._gathered)

    @property
    def _bytes(self) -> int:
        return sum(table.nbytes for table in self._gathered)

    def _commit(self, reader: LogReader, window: Window) -> None:
        """Commit the window; who finds that another has read the same goes on from there.

        Raises `MovedOn` when it is refused for long although nobody has published meanwhile: an erasure
        is under way, or was never ended.
        """
        refused_since = time.monotonic()
        before: int | None = None
        self._check_it_is_the_same_topic(window)
        while True:
            at = standing(self.environment, self._contract)
            if before is not None and at.number != before:
                refused_since = time.monotonic()
            if (theirs := _read_by_others(window, at)) is not None:
                self._begins |= theirs
                reader.seek(theirs)
                self._tidy(at)
                return
            try:
                committed = commit_window(
                    self.environment, self.definition, window, at, self.run_id
                )
            except MovedOn:
                self._untidy = True
                if at.number == before:
                    if self.stopping():
                        return  # nothing of it is committed: whoever comes next reads it again
                    if time.monotonic() - refused_since > REFUSED_SECONDS:
                        raise
                    time.sleep(_LONGEST_WAIT)
                before = at.number
                continue
            self._begins |= window.ends
            self._unsaid -= window.ends.keys()
            self._skipped = ()
            reader.show(window.ends)
            if self._job is not None and (reached := stream_in(committed.versions[0].properties)):
                self._job.passed(reached.positions)
            self.told(committed, window)
            self._tidy()
            self._keep_house()
            return

    def _check_it_is_the_same_topic(self, window: Window) -> None:
        """Asked after the messages were read: a client may go on reading in one of the same name."""
        topic = self.environment.log.topic(window.topic)
        if topic is None or topic.id != window.topic_id:
            raise MessagesGone(
                f"{self.definition.key}: the topic {window.topic} was deleted, or made anew, while it "
                "was read; what was read since the last commit was left out. Start the stream again"
            )

    def _tidy(self, at: Standing | None = None) -> None:
        """What died before its commit is known as dead once the position is past it: not later, when
        the versions that tell so may have expired."""
        if self._untidy:
            at = at or standing(self.environment, self._contract)
            self._untidy = withdraw_uncommitted(self.environment, self._contract, at)

    def _keep_house(self) -> None:
        """Each window is a file and a version: once in a while the small files become fewer, and the
        versions that are too many go."""
        self._commits += 1
        if self._commits % COMMITS_PER_UPKEEP:
            return
        for store in self.environment.stores_of(self._contract):
            with suppress(Overtaken):  # by the other processes: the next one has its turn
                store.compact(self._contract)
            thin(self.environment, self._contract, store)


def _read_by_others(window: Window, at: Standing) -> dict[int, int] | None:
    """Where the window's partitions are, if the product does not stand any more where it begins.

    Raises `MessagesGone` when it goes on with another topic.
    """
    if at.position is None:
        return None
    positions = at.position.positions
    if at.position.topic_id != window.topic_id:
        if {one.partition: one.first for one in window.skipped} == dict(positions):
            return None
        raise MessagesGone(
            f"the product went on with another topic than the {window.topic} that was read here; nothing "
            "was published. Start the stream again"
        )
    # Where a gap was accepted the product stands before it, and the window begins after it.
    passed = {
        s.partition: s.first for s in window.skipped if window.begins.get(s.partition) == s.next
    }
    theirs = {
        p: begin
        if p in passed and positions.get(p, begin) == passed[p]
        else positions.get(p, begin)
        for p, begin in window.begins.items()
    }
    return None if theirs == dict(window.begins) else theirs
