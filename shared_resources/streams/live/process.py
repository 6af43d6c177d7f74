"""The process of live rows: it is given a stream's messages, and keeps served rows level with them.

Belongs here: beginning where the served version and the port say, going on, noticing another version,
falling back to a version that is stale.
Does not belong here: what messages show (`granted.py`), the domain's code (`making.py`), writing
(`writing.py`).

The state is in memory alone. It is made of what is published (the product's inputs, and the rows of the
stream's product), then of the messages after those. The port has the position with the rows: what was
written is not written again before all of it has been read again, so that no row goes back. One process a
product works at a time, by a lock; one that was taken for dead finds that another has written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl

from shared_resources.access.door import Reader, open_for
from shared_resources.access.principal import product_principal
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.data_products.publishing import erased_since
from shared_resources.environment import Environment, EnvironmentProblem
from shared_resources.evidence.record import stream_in
from shared_resources.problems import MeshProblem
from shared_resources.serving_ports.following import bring_level
from shared_resources.serving_ports.live_position import LivePosition
from shared_resources.serving_ports.port import Behind, Held, ServingPort, Superseded
from shared_resources.state.database import LockKept
from shared_resources.stores.protocol import NotPublished
from shared_resources.stores.reading.frames import as_frame
from shared_resources.streams.live.granted import GrantedMessages
from shared_resources.streams.live.making import Following, let_go
from shared_resources.streams.live.meanwhile import other_contract
from shared_resources.streams.live.writing import LiveWriter, not_asked
from shared_resources.streams.log.port import LogReader, Positions, TopicState, message_schema

MOST_MESSAGES = 5_000
# How often it is asked whether another version is served, and whether the one that is is stale.
LOOKS_EACH = 1.0
_WAIT = 0.2
# How long it waits for its turn before it asks whether it is to end.
_TURN = 0.5
_SAYS_EACH = 10.0


class NoLiveRows(MeshProblem):
    """Nothing in the product's folder says how its rows follow messages."""

    exit_code = 2


@dataclass
class LiveProcess:
    """`told` is given what is worth knowing, for people; `wrote` hears of each step, with how many
    messages are level."""

    environment: Environment
    definition: ProductDefinition
    stopping: Callable[[], bool]
    told: Callable[[str], None] = lambda said: None
    wrote: Callable[[LivePosition], None] = lambda at: None
    _positions: dict[int, int] = field(default_factory=dict)
    _begins: Mapping[int, int] = field(default_factory=dict)
    _taken: bool = False
    _by: str = ""
    _said: str = ""
    _messages: int = 0
    _broken: int = 0
    _says_at: float = 0.0

    @property
    def key(self) -> str:
        return self.definition.key

    def run(self, until: Positions | None = None) -> None:
        """Go on until it is stopped, or with `until`, until the rows are level with these offsets.

        Raises `NoLiveRows` for a product without `@live`, `NoStream`, `NoAgreement`, `PortUnreachable`,
        `LogProblem` and `LiveProblem`.
        """
        port, live = self.environment.serving_port, self.definition.live
        if live is None:
            raise NoLiveRows(
                f"{self.key} has no live rows: decorate a class with @live in "
                f"{self.definition.folder / 'product.py'} (docs/how-to/live.md)"
            )
        if port is None or self.definition.contract.serving is None:
            raise EnvironmentProblem(
                f"{self.key} is served by its key nowhere: its contract needs a server `serving`, and a "
                "branch has no port"
            )
        reader = Reader(product_principal(self.key), by=self.key)
        messages = GrantedMessages(self.environment, live.of, reader)
        try:
            with ExitStack() as turn:
                self._take_turn(turn)
                for one in () if self.stopping() else not_asked(self.definition):
                    self._say(f"{one.rule.name} is not asked of live rows: {one.reason}")
                while not self.stopping():
                    if self._once(port, messages, reader, until):
                        return
        finally:
            messages.close()
            let_go()

    def _take_turn(self, turn: ExitStack) -> None:
        """Wait until no other process of the product is at work, or until this one is to end."""
        while not self.stopping():
            lock = self.environment.state.lock(f"live/{self.key}", patience=_TURN)
            try:
                turn.enter_context(lock)
                return
            except LockKept:
                self._say("another process of it is at work; it waits until that ends")

    def _once(
        self, port: ServingPort, messages: GrantedMessages, reader: Reader, until: Positions | None
    ) -> bool:
        """Follow what is served now for as long as it is; whether the end is reached."""
        # What is served is looked at first: an erasure notes itself before it takes away what is served,
        # so that nothing that was read before one is ever written into what is served after it.
        held = port.current(self.key)
        erased = erased_since(self.environment, self.definition.contract, datetime.now(UTC))
        readable = messages.renew()
        topic = self.environment.log.topic(messages.topic)
        if held is None:
            self._wait(f"no version of {self.key} is served yet; it waits for one")
        elif erased:
            self._wait(f"a {erased} is being erased; rows stay as they are until that is done")
        elif why := other_contract(self.environment, self.definition, held.generation):
            self._wait(why)
        elif not readable:
            self._wait(
                f"{messages.contract.key} is made of no topic now; it waits until it is again"
            )
        elif topic is None:
            self._wait(f"nobody has made the topic {messages.topic} yet; it waits for it")
        elif self._stale(held):
            self._fall_back(held)
        else:
            try:
                return self._follow(port, held, topic, messages, reader, until)
            except Superseded:
                self._say("another version is served now")
            except Behind:
                self._say("another process has written since; it begins again")
        return False

    def _follow(
        self,
        port: ServingPort,
        held: Held,
        topic: TopicState,
        messages: GrantedMessages,
        reader: Reader,
        until: Positions | None,
    ) -> bool:
        self._by = messages.by
        state = Following(self.environment, self.definition, held.generation, reader)
        history, self._begins = self._published(messages, reader, topic)
        self._positions, self._taken = dict(self._begins), False
        at = LivePosition.of(held.note)
        goal = at.positions if at is not None and at.topic_id == topic.id else {}
        writer = LiveWriter(port, held, self.definition)
        writer.keep(state.update(history))
        if goal and all(goal.get(p, 0) >= begin for p, begin in self._begins.items()):
            writer.forget()
        group = f"{self.environment.group_of_readers}.live.{self.key.replace('/', '.')}"
        log = self.environment.log.reader(topic.name, group, self)
        self._say(
            f"follows {messages.contract.key} from {topic.name} over version "
            f"{held.generation.version}, as process {os.getpid()}"
        )
        try:
            return self._go_on(port, log, topic, state, writer, messages, goal, until)
        finally:
            log.close()

    def _go_on(
        self,
        port: ServingPort,
        log: LogReader,
        topic: TopicState,
        state: Following,
        writer: LiveWriter,
        messages: GrantedMessages,
        goal: Positions,
        until: Positions | None,
    ) -> bool:
        level, looks_at = not goal, 0.0
        # What is published changes rows, or is further than the position says.
        unsaid = (
            not goal or writer.waits or any(at > goal.get(p, 0) for p, at in self._begins.items())
        )
        while not self.stopping() and not self._taken:
            if time.monotonic() >= looks_at:
                if not self._same(port, writer, topic, messages):
                    return False
                looks_at = time.monotonic() + LOOKS_EACH
                log.show(self._positions)
                self._say_counts(writer)
            taken = log.take(MOST_MESSAGES, 0 if unsaid and level else _WAIT)
            if self._taken:
                return False
            self._positions |= log.positions()
            if taken.num_rows:
                shown = messages.of(taken)
                if shown.by != self._by:
                    break  # what it has in memory was granted by other terms: it begins again
                self._messages += taken.num_rows
                self._broken += shown.broken
                writer.keep(state.update(shown.frame))
            level = level or all(
                self._positions.get(p, 0) >= end for p, end in goal.items() if p in topic.ends
            )
            if level and (taken.num_rows or unsaid):
                at = LivePosition(topic.name, topic.id, dict(self._positions), datetime.now(UTC))
                writer.commit(at)
                self.wrote(at)
                unsaid = False
            if until is not None and level and _reached(self._positions, until):
                self._say(f"is level with its topic: {self._counts(writer)}")
                return True
        return False

    def _published(
        self, messages: GrantedMessages, reader: Reader, topic: TopicState
    ) -> tuple[pl.DataFrame, dict[int, int]]:
        """What of the stream is published, as it is granted, and the offsets after it."""
        begins = dict(topic.begins)
        try:
            columns = messages.columns
            snapshot = open_for(self.environment, messages.contract.key, reader, columns=columns)
        except NotPublished:
            return messages.of(message_schema().empty_table()).frame, begins
        frame = as_frame(snapshot, pl.DataFrame, columns)
        assert isinstance(frame, pl.DataFrame)
        position = stream_in(snapshot.version.properties)
        if position is not None and position.topic_id == topic.id:
            for partition, offset in position.positions.items():
                if partition in begins:
                    if offset < begins[partition]:
                        self._say(
                            f"messages {offset} to {begins[partition] - 1} of partition {partition} are "
                            "gone and not published: rows lack them until the next version"
                        )
                    begins[partition] = max(begins[partition], offset)
        return frame, begins

    def _same(
        self, port: ServingPort, writer: LiveWriter, topic: TopicState, messages: GrantedMessages
    ) -> bool:
        if not messages.is_as_before(self._by):
            return False
        held, now = port.current(self.key), self.environment.log.topic(topic.name)
        same = held is not None and held.generation.id == writer.generation.id
        return same and now is not None and now.id == topic.id and not self._stale(held)

    def _stale(self, held: Held | None) -> bool:
        longest = self.definition.contract.freshness
        if held is None or longest is None:
            return False
        return datetime.now(UTC) - held.generation.published_at > longest

    def _fall_back(self, held: Held) -> None:
        """A model that is older than its contract promises changes no rows: readers get the version's."""
        if held.position is not None:
            bring_level(self.environment, self.definition.contract, anew=True)
        self._wait(
            f"version {held.generation.version} is older than the contract's latency: its rows are "
            "served as they were published, until there is another"
        )

    # -- the partitions ----------------------------------------------------------------------------

    def given(self, partitions: Sequence[int]) -> Positions:
        """See `log.port.Assignment`."""
        return {p: self._begins[p] for p in partitions if p in self._begins}

    def taken(self, partitions: Sequence[int]) -> None:
        """See `log.port.Assignment`: another process is in the group; begin again."""
        self._taken = True

    # -- what is said ------------------------------------------------------------------------------

    def _wait(self, why: str) -> None:
        self._say(why)
        time.sleep(_WAIT)

    def _say(self, what: str) -> None:
        if what != self._said:
            self.told(f"{self.key}: {what}")
        self._said = what

    def _say_counts(self, writer: LiveWriter) -> None:
        if self._messages and time.monotonic() >= self._says_at:
            self._say(self._counts(writer))
            self._says_at = time.monotonic() + _SAYS_EACH

    def _counts(self, writer: LiveWriter) -> str:
        refused = ", ".join(f"{n:,} broke {rule}" for rule, n in sorted(writer.refused.items()))
        return (
            f"{self._messages:,} messages, of which {self._broken:,} broke their contract; "
            f"{writer.rows:,} rows written" + (f"; not written: {refused}" if refused else "")
        )


def _reached(positions: Positions, until: Positions) -> bool:
    return all(positions.get(partition, 0) >= end for partition, end in until.items())
