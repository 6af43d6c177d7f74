"""The process of a gate: from the stream's topic to that of what keeps the contract, and to dead letters.

Belongs here: taking messages, writing them with the positions, losing a race, ending.
Does not belong here: the verdict (`row_rules/messages.py`), what is written (`letters.py`), the log.

Who is fenced, and by what. Exactly once: a transaction holds what is written and the group's positions,
and the log takes positions of a partition's own reader alone. So one that was stopped, or was too slow,
commits nothing any more once its partitions are another's, whatever its writer is called. The writer's
name (`names.py`) makes sure that what a killed process had begun is aborted as soon as it starts again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from shared_resources.contracts.model import Contract
from shared_resources.contracts.streams.model import Delivery, Gate, Stream
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.environment import Environment
from shared_resources.streams.gate.letters import Letters, by_key, split
from shared_resources.streams.gate.names import name_of_its_own
from shared_resources.streams.gate.standing import (
    GateStanding,
    Note,
    accepted_gaps,
    gate_of,
    gate_standing,
    write_notes,
)
from shared_resources.streams.gate.undecided import as_they_came
from shared_resources.streams.log.port import (
    Fenced,
    LogReader,
    LogWriter,
    NotTheReader,
    OffsetsGone,
    Positions,
)
from shared_resources.streams.row_rules.messages import MessageRules
from shared_resources.streams.standing import MessagesGone

MOST_MESSAGES = 10_000
PATIENCE = 30.0
NOTE_SECONDS = 5.0
_SHOW_SECONDS = 0.1  # at least once: how often the log is told where the gate is
_LONGEST_WAIT = 0.5  # how long a stop may be waited for
_MOMENT = 0.05  # a group that is changing hands


@dataclass
class GateProcess:
    """One of the processes that pass a stream's messages on; they share its partitions.

    `stopping` is asked often. `told` hears what became of the messages of each transaction; `fenced` why
    it begins again.
    """

    environment: Environment
    definition: ProductDefinition
    stopping: Callable[[], bool]
    told: Callable[[Letters], None] = lambda letters: None
    fenced: Callable[[str], None] = lambda why: None
    noting: Callable[[], None] = lambda: None  # once in a while, beside its own notes
    _at: dict[int, int] = field(default_factory=dict)  # from where each of its partitions goes on
    _passed: int = 0  # not noted yet
    _rejected: int = 0
    _noted: dict[int, int] = field(default_factory=dict)
    _note_at: float = 0.0
    _show_at: float = 0.0
    _topic_id: str = ""
    _partitions: dict[str, int] = field(default_factory=dict)  # of each topic

    def __post_init__(self) -> None:
        self._asked = self.definition.rules
        self.rules = MessageRules(self._contract, self._asked)
        self._name = gate_of(self.environment, self._contract)

    @property
    def _contract(self) -> Contract:
        return self.definition.contract

    @property
    def _stream(self) -> Stream:
        assert self._contract.stream is not None, "a product of another kind"
        return self._contract.stream

    @property
    def _gate(self) -> Gate:
        assert self._stream.gate is not None, "a stream without a gate"
        return self._stream.gate

    @property
    def _once(self) -> bool:
        return self._gate.delivery is Delivery.EXACTLY_ONCE

    def run(self, until: Positions | None = None, patience: float = PATIENCE) -> None:
        """Pass messages on until it is stopped; with `until` until its partitions are as far as that, and
        no longer than `patience` seconds without any.

        Raises `MessagesGone` when the topic has lost messages that were not read, and `LogProblem`.
        """
        self._make_topics(self._look())
        with name_of_its_own(self.environment, self._name) as name:
            while True:
                try:
                    self._run(name, until, patience)
                    return
                except Fenced as fenced:
                    if self.stopping():
                        return
                    self.fenced(str(fenced))
                    time.sleep(_MOMENT)

    def _run(self, name: str, until: Positions | None, patience: float) -> None:
        self._at, log = {}, self.environment.log
        writer = log.writer(name if self._once else None)
        try:
            reader = log.reader(self._stream.topic, self._name, self)
            try:
                self._pass_on(reader, writer, until, patience)
                if not self._once:
                    reader.show(self._at)
            finally:
                reader.close()
        finally:
            writer.close()
            self._note(everything=True)

    def _pass_on(
        self, reader: LogReader, writer: LogWriter, until: Positions | None, patience: float
    ) -> None:
        alone_since = time.monotonic()
        while not self.stopping():
            try:
                messages = reader.take(MOST_MESSAGES, _LONGEST_WAIT)
            except OffsetsGone:
                self._look()  # says what to do
                raise
            if messages.num_rows:
                self._publish(reader, writer, messages)
            self._note()
            if until is None:
                continue
            if positions := reader.positions():
                alone_since = time.monotonic()
                if all(positions[p] >= until.get(p, 0) for p in positions):
                    return
            elif time.monotonic() - alone_since > patience:
                return

    def _publish(self, reader: LogReader, writer: LogWriter, messages: pa.Table) -> None:
        if self._stream.undecided_of:
            messages = as_they_came(messages)
        letters = split(self._contract, messages, self.rules.judge(messages))
        ends = {p: at for p, at in reader.positions().items() if at != self._at.get(p, at)}
        try:
            if self._once:
                with writer.transaction(reader, ends):
                    self._send(writer, letters)
            else:
                self._send(writer, letters)
                writer.flush()
        except NotTheReader:
            # Nothing of it is written: whose it is now reads it again, this process if it is still its.
            reader.seek(self._at)
            time.sleep(_MOMENT)
            return
        self._at |= {p: at for p, at in ends.items() if p in self._at}
        self._passed += letters.passed.num_rows
        self._rejected += letters.dead.num_rows
        self.told(letters)
        if not self._once and time.monotonic() >= self._show_at:
            reader.show(self._at)
            self._show_at = time.monotonic() + _SHOW_SECONDS

    def _send(self, writer: LogWriter, letters: Letters) -> None:
        """As it came; where the topic has another number of partitions, or a job writes to it, too, the
        key decides, so that one key is in one partition."""
        for topic, messages in self._to(letters):
            if messages.num_rows:
                same = self._partitions[topic] == self._partitions[self._stream.topic]
                same = same and not self._stream.undecided_of
                writer.send(topic, messages if same else by_key(messages))

    def _to(self, letters: Letters) -> tuple[tuple[str, pa.Table], ...]:
        passed = (self._gate.topic, letters.passed)
        dead = self._stream.dead_letters
        return (passed, (dead, letters.dead)) if dead else (passed,)

    # -- the partitions ----------------------------------------------------------------------------

    def given(self, partitions: Sequence[int]) -> Positions:
        """See `log.port.Assignment`."""
        at = self._look()
        self._topic_id = at.topic.id
        self._partitions[self._stream.topic] = at.topic.partitions
        begins = {p: at.positions.get(p, at.topic.begins[p]) for p in partitions}
        self._at |= begins
        # What goes from a partition before its first message was read would not be missed.
        new = {p: begin for p, begin in begins.items() if p not in at.positions or at.gap}
        if new:
            self._write(new, committed=False)
        return begins

    def taken(self, partitions: Sequence[int]) -> None:
        """See `log.port.Assignment`."""
        self._note(everything=True)
        for partition in partitions:
            self._at.pop(partition, None)

    def _look(self) -> GateStanding:
        """Raises `MessagesGone` for a gap that nobody has accepted, whenever it came to be."""
        at = gate_standing(self.environment, self._contract)
        gap = at.gap
        accepted = accepted_gaps(self.environment, self._contract)
        if gap is not None and gap.lost and not accepted.skipped(gap):
            raise MessagesGone(
                f"{gap.why}. Nothing was passed on. If the gate is to go on without them: "
                f'`mesh stream skip {self.definition.key} --gate --reason "…"`'
            )
        return at

    def _make_topics(self, at: GateStanding) -> None:
        """The topics that are missing, with as many partitions as the stream's has."""
        log = self.environment.log
        count = at.topic.partitions
        for name in filter(None, (self._gate.topic, self._stream.dead_letters)):
            there = log.topic(name)
            if there is None:
                log.create(name, count)
            self._partitions[name] = there.partitions if there is not None else count

    # -- what is noted -----------------------------------------------------------------------------

    def _note(self, *, everything: bool = False) -> None:
        """Where the gate is, in the mesh's own state: seldom, for a commit of it takes milliseconds."""
        if not everything and time.monotonic() < self._note_at:
            return
        self._note_at = time.monotonic() + NOTE_SECONDS
        self._renew_rules()
        self.noting()
        moved = {p: at for p, at in self._at.items() if self._noted.get(p) != at}
        if moved:
            self._write(moved, committed=True)

    def _renew_rules(self) -> None:
        """A waiver ends with its day: from then on the policy's rules block here, too."""
        asked = self.definition.rules
        if asked != self._asked:
            self._asked, self.rules = asked, MessageRules(self._contract, asked)

    def _write(self, positions: Positions, *, committed: bool) -> None:
        """The counts are all of them beside one of the partitions: they are shown together."""
        notes = {
            p: Note(self._stream.topic, self._topic_id, at, committed)
            for p, at in positions.items()
        }
        first = min(notes)
        notes[first] = replace(notes[first], passed=self._passed, rejected=self._rejected)
        write_notes(self.environment.state, self._name, notes)
        self._passed = self._rejected = 0
        self._noted |= positions
