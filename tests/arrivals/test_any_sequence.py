"""Whatever happens in whatever order: every object version that stayed is processed exactly once.

Hypothesis chooses puts, overwrites, removals, late old keys, ticks, runs, events that are lost, come
twice or late, poison, and deaths of the daemon and of runs, over real HTTP.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from shared_resources.arrivals import listing as scan
from shared_resources.contracts.model import LandingMode
from shared_resources.environment import Environment
from shared_resources.locations.sensing import run_requests as asking
from shared_resources.wiring import LocalEnvironment, ProductionEnvironment
from tests.arrivals.queues import Queue, with_events
from tests.arrivals.simulated import Daemon, Producer, contract_of

NAMES = [f"{(date(2026, 3, 1) + timedelta(days=n)).isoformat()}.csv" for n in range(14)]
names = st.sampled_from(NAMES)
DEATHS = ("", "", "start", "taken", "published")


class Anything(RuleBasedStateMachine):
    """One product, from its first object on. `events`: S3's notifications are used."""

    environment: Environment
    events: bool

    def __init__(self) -> None:
        super().__init__()
        environment = self.environment
        if self.events:
            assert isinstance(environment, ProductionEnvironment)
            environment = with_events(environment)
        contract = contract_of(LandingMode.PARTITION)
        self.instance_of = dg.DagsterInstance.ephemeral()
        self.instance = self.instance_of.__enter__()
        self.daemon = Daemon(environment, contract, self.instance)
        self.producer = Producer(environment, contract, whole_seconds=True)
        self.queue = Queue(environment, contract) if self.events else None
        self.there: dict[str, str] = {}
        self.sent: list[dict[str, Any]] = []
        self.count = 0

    def teardown(self) -> None:
        try:
            self._end()
        finally:
            self.instance_of.__exit__(None, None, None)

    @rule(some=st.lists(names, min_size=1, max_size=6))
    def put(self, some: list[str]) -> None:
        for name in some:
            self.count += 1
            # Each of another size: a folder tells versions of one second apart by nothing else.
            content = f"{name} {self.count} {'.' * self.count}"
            told = self.producer.put(name, content)
            self.there[name] = content
            if self.queue is not None:
                self.sent.append(self.producer.event(name, told))

    @rule(name=names)
    def remove(self, name: str) -> None:
        self.producer.delete(name)
        self.there.pop(name, None)

    @rule(draw=st.data(), times=st.integers(1, 2))
    def deliver(self, draw: Any, times: int) -> None:
        """An event, in no order, once or twice; those that are never delivered are lost."""
        if self.queue is not None and self.sent:
            message = draw.draw(st.sampled_from(self.sent))
            for _ in range(times):
                self.queue.send(message)

    @rule()
    def poison(self) -> None:
        if self.queue is not None:
            self.queue.send('{"no": "event"}')

    @rule()
    def tick(self) -> None:
        self.daemon.tick()

    @rule(launch=st.booleans(), kept=st.booleans())
    def tick_of_a_daemon_that_dies(self, launch: bool, kept: bool) -> None:
        self.daemon.tick(launch=launch, keep_cursor=kept)

    @rule()
    def lose_the_cursor(self) -> None:
        self.daemon.cursor = None

    @rule(minutes=st.sampled_from([1, 6, 60]))
    def let_time_pass(self, minutes: int) -> None:
        self.daemon.clock.advance(timedelta(minutes=minutes))

    @rule(draw=st.data(), dies=st.sampled_from(DEATHS), refuses=st.booleans())
    def run(self, draw: Any, dies: str, refuses: bool) -> None:
        waiting = self.daemon.waiting()
        if waiting:
            run = draw.draw(st.sampled_from(range(len(waiting))))
            self.daemon.run(waiting[run], dies=dies, refuses=refuses)

    def _end(self) -> None:
        self.daemon.settle_down(16)
        processed = self.daemon.processed
        here = {(self.producer.key(name), content) for name, content in self.there.items()}
        assert set(processed.values()) <= {1}, processed
        assert here <= set(processed), here - set(processed)
        assert not self.daemon.ledger.questions.counts()
        if self.queue is not None:
            assert len(self.queue) == 0


def run_machine(
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
    events: bool,
    examples: int,
    steps: int,
) -> None:
    monkeypatch.setattr(scan, "PAGE_KEYS", 5)
    monkeypatch.setattr(scan, "WINDOW_KEYS", 2)
    monkeypatch.setattr(scan, "PAGES_A_TICK", 2)
    monkeypatch.setattr(asking, "RUNS_A_TICK", 3)
    machine = type("Machine", (Anything,), {"environment": environment, "events": events})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_sequence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = LocalEnvironment(root=tmp_path, home=tmp_path / "home")
    run_machine(environment, monkeypatch, events=False, examples=5, steps=20)


@pytest.mark.slow
@pytest.mark.parametrize("events", [False, True])
def test_any_sequence_on_s3(
    production: ProductionEnvironment, monkeypatch: pytest.MonkeyPatch, events: bool
) -> None:
    run_machine(production, monkeypatch, events, examples=12, steps=30)
