"""The engine of `mesh run`: ready products go to their domains' workers until none is left.

Belongs here: that loop, and what each product's run came to.
Does not belong here: the order (`schedule.py`), the processes (`workers.py`), what is to be made of a
product (`pending.py`), the display (`cli/progress.py`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from shared_resources.environment import Environment
from shared_resources.landing.errors import LandingError
from shared_resources.mesh.model import ProductKind
from shared_resources.observing.health import Reason, named
from shared_resources.observing.product_health import Observer
from shared_resources.running.at_rest import at_rest
from shared_resources.running.messages import RunOutcome, Task, Waits
from shared_resources.running.pending import NothingLanded, UpToDate, tasks_of
from shared_resources.running.schedule import Schedule
from shared_resources.running.selection import product_folder
from shared_resources.running.workers.pool import Pool
from shared_resources.running.workers.worker import Worker
from shared_resources.state.attempt import WHOLE
from shared_resources.state.attempt import Outcome as AttemptOutcome
from shared_resources.state.last_attempts import LastAttempts
from shared_resources.streams.log.port import LogProblem


@dataclass
class Outcome:
    """What a run came to: an entry a product, with its state and what is worth knowing of it."""

    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    products: dict[str, dict[str, object]] = field(default_factory=dict)

    def count(self, state: str) -> int:
        return sum(entry["state"] == state for entry in self.products.values())

    def in_part(self) -> str:
        """How many of those that failed published some of their days, for people."""
        some = sum(bool(entry.get("published")) for entry in self.products.values())
        return f" ({some} published in part)" if some else ""


class Display(Protocol):
    """What is told of the run while it lasts. Every text may hold more than one line."""

    def note(self, text: str) -> None: ...

    def started(self, product: str) -> None: ...

    def published(self, product: str, rows: int | None, version: int | None) -> None: ...

    def skipped(self, product: str, why: str) -> None: ...

    def failed(self, product: str, message: str) -> None: ...

    def held(self, product: str, because: str) -> None: ...


class Engine:
    """Runs products, each in its domain's worker, and tells a display how they fare.

    `jobs` is how many are made at a time. `partitions` is FIRST or FIRST..LAST, of products with days;
    None: what differs from when it was made; with `again` everything.
    """

    def __init__(
        self,
        environment: Environment,
        display: Display,
        jobs: int,
        partitions: str | None,
        again: bool = False,
    ) -> None:
        self._environment = environment
        self._display = display
        self._jobs = jobs
        self._partitions = partitions
        self._again = again
        self._outcome = Outcome()
        self._pool = Pool(environment)
        self._queues: dict[str, deque[Task]] = {}
        self._ended: dict[str, list[RunOutcome]] = {}  # one a range
        self._begun_again: set[Task] = set()
        self._stopped: dict[str, str] = {}  # why, of products that are not made
        self._schedule = Schedule({})
        self._at_rest: dict[str, str] = {}  # why, of products that need no location

    def run(self, wanted: Mapping[str, tuple[str, ...]]) -> Outcome:
        """Materialize the products `wanted`, with what each reads, in dependency order."""
        if not (self._again or self._partitions):
            self._at_rest = at_rest(self._environment, wanted)
        due = [key for key in wanted if key not in self._at_rest]
        with self._pool.serving(due):
            self._make(wanted, due)
        self._outcome.seconds = time.monotonic() - self._outcome.started
        return self._outcome

    def _make(self, wanted: Mapping[str, tuple[str, ...]], due: Collection[str]) -> None:
        loaded, broken = self._pool.load({key.split("/")[0] for key in due})
        reads = {key: one.reads[key] for one in loaded for key in wanted if key in one.reads}
        self._stopped = {key: why for one in loaded for key, why in one.stopped.items()}
        self._schedule = Schedule({**wanted, **reads})
        self._give_up(broken)
        while True:
            while self._start_one():
                pass
            if not (heard := self._pool.heard()):
                break
            for worker in heard:
                self._hear(worker)

    def _give_up(self, broken: Mapping[str, str]) -> None:
        """The products of locations that did not load have failed, and hold what reads them."""
        lost = {
            key: broken[d] for key in self._schedule.reads if (d := key.split("/")[0]) in broken
        }
        for domain, why in broken.items():
            self._display.note(f"the location {domain} does not load:\n{why}")
        for key in lost:
            self._schedule.start(key)
        for key, why in sorted(lost.items()):
            self._note(key, f"its location does not load: {why}")
            self._display.failed(key, "its location does not load")
            self._record(key, "failed", message=why)
            self._finish(key, False)

    def _start_one(self) -> bool:
        """Start the first product that can be, or find that there is nothing to do for it."""
        for product in self._schedule.ready():
            if product in self._at_rest:
                self._schedule.start(product)
                self._unchanged(product, self._at_rest[product])
                return True
            if self._pool.of(product).running or self._pool.running >= self._jobs:
                continue
            self._schedule.start(product)
            if why := self._stopped.get(product):
                self._note(product, why)
                self._fail(product, why)
                return True
            try:
                tasks = tasks_of(self._environment, product, self._partitions, self._again)
            except UpToDate as reason:
                self._unchanged(product, str(reason))
            except NothingLanded as missing:
                self._note(product, str(missing), AttemptOutcome.MISSING)
                self._fail(product, str(missing))
            except (LandingError, LogProblem) as problem:
                self._fail(product, str(problem))
            else:
                self._queues[product] = deque(tasks)
                self._ended[product] = []
                self._display.started(product)
                self._start_next(product)
            return True
        return False

    def _unchanged(self, product: str, why: str) -> None:
        """Nothing is to be made; but a process may have died between the commits of two stores."""
        from shared_resources.data_products.publishing import finish_publishing

        if contract := product_folder(self._environment, product).contract:
            stores = self._environment.stores_of(contract)
            try:
                late = finish_publishing(self._environment, contract, stores)
            except Exception as problem:  # noqa: BLE001 - of whichever store; the others go on
                self._fail(product, f"{type(problem).__name__}: {problem}")
                return
            if late:
                why += f"; the {' and the '.join(late)} got what the {stores[0].name} has"
        standing = [str(one) for one in self._standing(product)]
        self._display.skipped(product, why)
        for line in standing:
            self._display.note(f"      still {line}")
        self._record(product, "unchanged", message="\n".join([why, *standing]))
        self._finish(product, True)

    def _standing(self, product: str) -> tuple[Reason, ...]:
        """What was refused, failed or is missing of a product of which there is nothing to make."""
        folder = product_folder(self._environment, product)
        return Observer(self._environment).observe(folder).health.failing

    def _note(
        self, product: str, why: str, outcome: AttemptOutcome = AttemptOutcome.FAILED
    ) -> None:
        """Write down, for `mesh status`, what no run comes to write down."""
        LastAttempts(self._environment.state, product).failed("", {WHOLE: why}, outcome)

    def _start_next(self, product: str) -> None:
        """Hand over the product's next task, to a new process if its domain's has died meanwhile."""
        task = self._queues[product].popleft()
        try:
            self._pool.of(product).start(task)
        except (BrokenPipeError, ConnectionResetError):
            if why := self._pool.restart(product):
                self._end(RunOutcome(product, "", False, why))
            else:
                self._pool.of(product).start(task)

    def _hear(self, worker: Worker) -> None:
        task = worker.running
        assert task is not None
        message = worker.receive()
        if isinstance(message, Waits):
            self._display.note(f"      {task.product} {message.message}")
            return
        worker.running = None
        if not isinstance(message, RunOutcome):
            if self._begins_again(worker, task):
                return
            why = f"its process died (exit {worker.exit_code}); see {worker.log}"
            message = RunOutcome(task.product, "", False, why)
        self._end(message)

    def _begins_again(self, worker: Worker, task: Task) -> bool:
        """Whether the task is tried once more. What an ingest was reading when its process broke down
        is known, and is read in a process of its own now, whose end is that object's refusal."""
        if not worker.broke_down or task in self._begun_again:
            return False
        if product_folder(self._environment, task.product).kind is not ProductKind.INGEST:
            return False
        self._begun_again.add(task)
        self._queues[task.product].appendleft(task)
        self._display.note(f"      {task.product} begins again: its process broke down")
        self._start_next(task.product)
        return True

    def _end(self, outcome: RunOutcome) -> None:
        """One run of a product ended: the next range of it, whatever came of this one, or it is done."""
        product = outcome.product
        self._ended[product].append(outcome)
        if self._queues[product]:
            self._start_next(product)
            return
        failed = [one for one in self._ended[product] if not one.succeeded]
        if failed:
            self._failed_in_part(product, failed)
            return
        self._display.published(product, outcome.rows, outcome.version)
        self._record(
            product,
            "published",
            run_id=outcome.run_id,
            rows=outcome.rows,
            version=outcome.version,
            seconds=round(sum(one.seconds for one in self._ended[product]), 2),
            peak_mib=round(max(one.peak_mib or 0.0 for one in self._ended[product])),
        )
        self._finish(product, True)

    def _failed_in_part(self, product: str, failed: list[RunOutcome]) -> None:
        """Some runs of the product failed; the days that were published all the same are named."""
        ended = self._ended[product]
        days = sorted({day for one in ended for day in one.days})
        versions = [one.version for one in ended if one.version is not None]
        why = "\n".join(one.message for one in failed)
        if days:
            why = f"published all the same: {named(days)}, as version {max(versions)}\n{why}"
        published = {"published": days, "version": max(versions)} if days else {}
        self._fail(product, why, failed[0].run_id, **published)

    def _fail(self, product: str, why: str, run_id: str = "", **details: object) -> None:
        self._display.failed(product, why)
        self._record(product, "failed", message=why, run_id=run_id, **details)
        self._finish(product, False)

    def _finish(self, product: str, succeeded: bool) -> None:
        for held in self._schedule.finish(product, succeeded):
            self._display.held(held, product)
            self._record(held, "held", message=f"waits for {product}")
        domain = product.split("/")[0]
        if not any(key.split("/")[0] == domain for key in self._schedule.waiting):
            self._pool.let_go(domain)

    def _record(self, product: str, state: str, **details: object) -> None:
        self._outcome.products[product] = {**details, "product": product, "state": state}
