"""The processes of one `mesh run`: a domain's when it is asked for, all of them ended afterwards.

Belongs here: which processes there are, and beginning one again that has died.
Does not belong here: one of them (`worker.py`), which product is next (`running/engine.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from multiprocessing.connection import Connection, wait
from typing import cast

from shared_resources.environment import Environment
from shared_resources.governance.audit.domain_rules.process.origin import serving_rules
from shared_resources.running.messages import Loaded
from shared_resources.running.workers.process import Served
from shared_resources.running.workers.worker import Worker, serving_dbt, stop


class Pool:
    """A process a domain. Empty at first."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._workers: dict[str, Worker] = {}
        self._served = Served()

    @contextmanager
    def serving(self, due: Collection[str]) -> Iterator[None]:
        """For as long as the block lasts there are the servers that making these products asks."""
        log = self._environment.home / "logs" / "rules.log"
        rules_of = serving_rules(log) if due else nullcontext()
        with serving_dbt(self._environment, due) as dbt, rules_of as rules:
            self._served = Served(dbt, rules)
            try:
                yield
            finally:
                stop(self._workers.values())

    def load(self, domains: Collection[str]) -> tuple[list[Loaded], dict[str, str]]:
        """Start the domains' processes: the locations that loaded, and why the others did not, by
        domain."""
        for domain in sorted(domains):
            self._workers[domain] = self._begin(domain)
        loaded: list[Loaded] = []
        broken: dict[str, str] = {}
        for domain, worker in self._workers.items():
            why = worker.why_not_loaded(message := worker.receive())
            if isinstance(message, Loaded):
                loaded.append(message)
            else:
                broken[domain] = why
        return loaded, broken

    def of(self, product: str) -> Worker:
        """The process of the product's domain."""
        return self._workers[product.split("/")[0]]

    @property
    def running(self) -> int:
        """How many products are being made."""
        return sum(worker.running is not None for worker in self._workers.values())

    def heard(self) -> list[Worker]:
        """Those that have something to say, once one has; none when none makes anything."""
        busy = {worker.connection: worker for worker in self._workers.values() if worker.running}
        return [busy[one] for one in cast("list[Connection]", wait(list(busy)))] if busy else []

    def restart(self, product: str) -> str:
        """Replace the dead process of the product's domain; why the new one did not load, if it did
        not."""
        domain = product.split("/")[0]
        stop([self._workers[domain]])
        worker = self._workers[domain] = self._begin(domain)
        return worker.why_not_loaded(worker.receive())

    def let_go(self, domain: str) -> None:
        """Nothing more is asked of the domain's process: it ends now, and holds no memory any more."""
        worker = self._workers.get(domain)
        if worker is not None and not worker.running:
            worker.connection.close()

    def _begin(self, domain: str) -> Worker:
        log = self._environment.home / "logs" / f"{domain}.log"
        return Worker(self._environment, domain, log, self._served)
