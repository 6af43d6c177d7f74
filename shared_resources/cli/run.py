"""`mesh run`: materialize products in dependency order across domains.

Belongs here: the loop that hands ready products to their domains' workers.
Does not belong here: the order (`schedule.py`), the processes (`workers.py`), the display.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import wait

import click

from shared_resources import environment as environments
from shared_resources.cli.pending import UpToDate, tasks_of
from shared_resources.cli.progress import RunProgress
from shared_resources.cli.schedule import Schedule
from shared_resources.cli.selection import select
from shared_resources.cli.workers import Loaded, NotLoaded, Task, Worker
from shared_resources.environment import Environment
from shared_resources.instance import prepare_instance
from shared_resources.mesh import read_mesh


@click.command(epilog="Example: mesh run +customer/customer_360")
@click.argument("selection", nargs=-1)
@click.option(
    "--partitions",
    metavar="FIRST[..LAST]",
    help="Days to make again, of partitioned products. Default: what landed and is not published.",
)
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="Products at a time.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome of each product as JSON.")
def run(selection: tuple[str, ...], partitions: str | None, jobs: int, as_json: bool) -> None:
    """Materialize SELECTION (domains, domain/product, +domain/product with all it reads; default
    everything), recorded in the Dagster instance that `make dev` shows."""
    environment = environments.current()
    prepare_instance(environment)
    wanted = _static_selection(environment, selection)
    with RunProgress(len(wanted)) as progress:
        outcome = _Coordinator(environment, progress, max(1, jobs), partitions).run(wanted)
    if as_json:
        click.echo(
            json.dumps(
                {"seconds": round(outcome.seconds, 2), "products": outcome.products}, indent=2
            )
        )
    progress.note(
        f"{outcome.count('published')} published, {outcome.count('unchanged')} unchanged, "
        f"{outcome.count('failed')} failed, {outcome.count('held')} held "
        f"in {outcome.seconds:.1f} s"
    )
    sys.exit(1 if outcome.count("failed") or outcome.count("held") else 0)


def _static_selection(environment: Environment, selection: tuple[str, ...]) -> set[str]:
    """The selected keys by what the files say; locations that do not load are found out later."""
    mesh = read_mesh(environment.root)
    return set(select(selection, {p.key: p.reads for d in mesh.domains for p in d.products}))


@dataclass
class _Outcome:
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    products: dict[str, dict[str, object]] = field(default_factory=dict)

    def count(self, state: str) -> int:
        return sum(entry["state"] == state for entry in self.products.values())


class _Coordinator:
    def __init__(
        self, environment: Environment, progress: RunProgress, jobs: int, partitions: str | None
    ) -> None:
        self._environment = environment
        self._progress = progress
        self._jobs = jobs
        self._partitions = partitions
        self._outcome = _Outcome()
        self._workers: dict[str, Worker] = {}
        self._queues: dict[str, deque[Task]] = {}
        self._costs: dict[str, list[float]] = {}  # seconds, peak MiB, over a product's ranges
        self._schedule = Schedule({})

    def run(self, wanted: set[str]) -> _Outcome:
        try:
            self._schedule = Schedule(self._load(wanted))
            self._progress.plan(len(self._schedule.reads) + len(self._outcome.products))
            while True:
                self._start_ready()
                busy = {w.connection: w for w in self._workers.values() if w.running}
                if not busy:
                    break
                for connection in wait(list(busy)):
                    self._hear(busy[connection])  # type: ignore[index]
        finally:
            for worker in self._workers.values():
                worker.stop()
        self._outcome.seconds = time.monotonic() - self._outcome.started
        return self._outcome

    def _load(self, wanted: set[str]) -> Mapping[str, tuple[str, ...]]:
        """Start the domains' workers; what the locations that loaded say their products read."""
        logs = self._environment.home / "logs"
        for domain in sorted({key.split("/")[0] for key in wanted}):
            worker = Worker(self._environment, domain, logs / f"{domain}.log")
            self._workers[domain] = worker
        reads: dict[str, tuple[str, ...]] = {}
        for domain, worker in list(self._workers.items()):
            message = worker.receive()
            if isinstance(message, Loaded):
                reads.update(message.reads)
                continue
            why = (
                message.message
                if isinstance(message, NotLoaded)
                else f"the location's process died (exit {worker.exit_code}); see {worker.log}"
            )
            del self._workers[domain]
            for key in sorted(k for k in wanted if k.startswith(f"{domain}/")):
                self._record(key, "failed", message=why)
            self._progress.failed(f"{domain} (location)", why)
        return {key: reads[key] for key in wanted if key in reads}

    def _start_ready(self) -> None:
        for product in self._schedule.ready():
            worker = self._workers[product.split("/")[0]]
            if (
                worker.running
                or sum(w.running is not None for w in self._workers.values()) >= self._jobs
            ):
                continue
            self._schedule.start(product)
            try:
                tasks = tasks_of(self._environment, product, self._partitions)
            except UpToDate as reason:
                self._progress.skipped(product, str(reason))
                self._record(product, "unchanged", message=str(reason))
                self._finish(product, True)
                self._start_ready()
                return
            self._queues[product] = deque(tasks)
            self._progress.started(product)
            worker.start(self._queues[product].popleft())

    def _hear(self, worker: Worker) -> None:
        """One run of a product ended: the next range of it, or the product is done."""
        task = worker.running
        assert task is not None
        message = worker.receive()
        worker.running = None
        if message is None or isinstance(message, Loaded | NotLoaded):
            why = f"its process died (exit {worker.exit_code}); see {worker.log}"
            self._fail(task.product, why)
            self._workers[worker.domain] = self._restarted(worker)
            return
        if not message.succeeded:
            self._fail(task.product, message.message, message.run_id)
            return
        cost = self._costs.setdefault(task.product, [0.0, 0.0])
        cost[0] += message.seconds
        cost[1] = max(cost[1], message.peak_mib or 0.0)
        if self._queues[task.product]:
            worker.start(self._queues[task.product].popleft())
            return
        self._progress.published(task.product, message.rows, message.version)
        self._record(
            task.product,
            "published",
            run_id=message.run_id,
            rows=message.rows,
            version=message.version,
            seconds=round(cost[0], 2),
            peak_mib=round(cost[1]),
        )
        self._finish(task.product, True)

    def _restarted(self, dead: Worker) -> Worker:
        dead.stop()
        worker = Worker(self._environment, dead.domain, dead.log)
        worker.receive()
        return worker

    def _fail(self, product: str, why: str, run_id: str = "") -> None:
        self._progress.failed(product, why)
        self._record(product, "failed", message=why, run_id=run_id)
        self._finish(product, False)

    def _finish(self, product: str, succeeded: bool) -> None:
        for held in self._schedule.finish(product, succeeded):
            self._progress.held(held, product)
            self._record(held, "held", message=f"waits for {product}")

    def _record(self, product: str, state: str, **details: object) -> None:
        self._outcome.products[product] = {**details, "product": product, "state": state}
