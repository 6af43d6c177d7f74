"""The health of one product, from everything that knows something of it.

Belongs here: asking the stores, the attempts, the quarantine, the ledger and Dagster's records.
Does not belong here: what a health is (`health.py`), the parts that stand (`standing.py`).

A source that cannot be read is one reason of this product, and keeps nothing else from being told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from shared_resources.arrivals.ledger.states import products_with_stuck
from shared_resources.contracts.model import UNPARTITIONED, Contract
from shared_resources.dagster_instance.last_runs import BadRun, last_bad_runs
from shared_resources.environment import Environment
from shared_resources.evidence.record import Evidence
from shared_resources.governance.earlier_majors import read_earlier_major
from shared_resources.mesh import Mesh, ProductFolder, look_at_mesh
from shared_resources.mesh.majors import EarlierMajor
from shared_resources.observing.agreed import agreed
from shared_resources.observing.ended import ended
from shared_resources.observing.health import Health, Kind, Reason, named
from shared_resources.observing.messages_waiting import of_gate, of_topic
from shared_resources.observing.standing import (
    Standing,
    is_part,
    never_came,
    reasons,
    run_again,
    standing,
)
from shared_resources.observing.stream_processes import of_processes
from shared_resources.serving_ports.lagging import lags
from shared_resources.state.attempt import OF_A_STREAM, AttemptsOfAll, LastAttempt, Outcome
from shared_resources.stores.protocol import ProductStore, Unreadable, Version
from shared_resources.streams.log.asked_once import AskedOnce
from shared_resources.streams.log.port import LogProblem
from shared_resources.wording import duration

SHOWN_OBJECTS = 20
_ENDS = {"CANCELED": "was canceled", "FAILURE": "failed"}


@dataclass(frozen=True)
class Observed:
    """A product as it stands: its current version, if it can be read and there is one. `earlier` is said
    of an earlier major version: who still reads it; `waiting` are messages of the product's topic."""

    health: Health
    current: Version | None = None
    evidence: Evidence | None = None
    standing: Standing = field(default_factory=Standing)
    never_came: tuple[str, ...] = ()
    earlier: EarlierMajor | None = None
    waiting: int | None = None


class Observer:
    """Looks at the products of one mesh; what several of them ask for is asked for once.

    `of_all`: what the mesh's state says is asked for all products at the first of them.
    """

    def __init__(self, environment: Environment, *, of_all: bool = False) -> None:
        self._environment = environment
        self._of_all = of_all
        self._bad_runs: Mapping[str, list[BadRun]] | None = None
        self._numbers: dict[str, tuple[str, int] | None] = {}
        self._log = AskedOnce()

    def observe(self, product: ProductFolder) -> Observed:
        """A product by its folder, whose contract may be broken."""
        if product.contract is None:
            reason = Reason(
                Kind.UNREADABLE,
                "its contract is missing or not valid",
                "`mesh check` says what is wrong with it",
            )
            return Observed(Health((reason,)))
        return self.observe_contract(product.contract)

    def observe_contract(self, contract: Contract) -> Observed:
        told: list[Reason] = []
        versions: list[Version] = []
        held: tuple[str, ...] = ()
        found = Standing()
        missing: tuple[str, ...] = ()
        stores = self._environment.stores_of(contract)
        with _one_trouble(told, contract, "what is published"):
            versions = stores[0].versions(contract.key)
            held = _held(stores[0].open(contract.key).partitions(), contract) if versions else ()
        told += _out_of_step(contract, stores, told)
        with _one_trouble(told, contract, "what was refused or failed"):
            found = standing(self._environment, contract, versions, self._attempts(contract))
            told += reasons(contract, found, held)
            missing = tuple(never_came(contract, found, held))
        with _one_trouble(told, contract, "its landing zone's ledger"):
            told += self._stuck(contract)
        with _one_trouble(told, contract, "its runs"):
            told += self._runs(contract)
        current = versions[-1] if versions else None
        waiting: int | None = None
        with _one_trouble(told, contract, "its topic"):
            ask = self._log.ask
            of_messages, waiting = ask(lambda: of_topic(self._environment, contract, current))
            told += of_messages
            told += ask(lambda: of_gate(self._environment, contract))
        with _one_trouble(told, contract, "how its processes ended"):
            told += of_processes(self._environment, contract)
        evidence: Evidence | None = None
        if current is not None:
            told += _stale(contract, current)
            with _one_trouble(told, contract, "its serving port"):
                told += self._served_old(contract)
            with _one_trouble(told, contract, f"the evidence of version {current.number}"):
                evidence = current.evidence
                told += self._behind(contract, current.number, evidence)
                told += ended(self._environment, evidence)
                told += agreed(self._environment, contract.key, evidence)
        elif not any(one.kind is Kind.UNREADABLE for one in told):
            told.append(Reason(Kind.NEVER, "it was never published", f"`mesh run +{contract.key}`"))
        earlier: EarlierMajor | None = None
        if contract.previous_major is not None:
            with _one_trouble(told, contract, "who reads it"):
                earlier = read_earlier_major(self._environment, self._mesh, contract)
        return Observed(Health.of(told), current, evidence, found, missing, earlier, waiting)

    @cached_property
    def _mesh(self) -> Mesh:
        return look_at_mesh(self._environment)

    def _attempts(self, contract: Contract) -> list[LastAttempt]:
        if self._of_all:
            found = self._all_attempts.of(contract.key)
            # One that goes on may have come to its end since all were asked for.
            if not any(one.outcome is Outcome.RUNNING for one in found):
                return found
        # Here and below: with the engine of the state, which not every look at a mesh needs.
        from shared_resources.state.last_attempts import LastAttempts

        return LastAttempts(self._environment.state, contract.key).all()

    def _served_old(self, contract: Contract) -> list[Reason]:
        why = lags(self._environment, contract) if contract.serving is not None else ""
        remedy = f"`mesh housekeeping {contract.key}` brings it level, or says why not"
        return [Reason(Kind.SERVED_OLD, why, remedy)] if why else []

    @cached_property
    def _all_attempts(self) -> AttemptsOfAll:
        return AttemptsOfAll(self._environment)

    @cached_property
    def _with_stuck(self) -> frozenset[str]:
        return products_with_stuck(self._environment)

    def _stuck(self, contract: Contract) -> list[Reason]:
        if contract.landing is None or (self._of_all and contract.key not in self._with_stuck):
            return []
        from shared_resources.arrivals.ledger.ledger import Ledger

        keys = tuple(
            entry.key
            for entry in Ledger(self._environment.state, contract.key).questions.stuck(
                SHOWN_OBJECTS
            )
        )
        if not keys:
            return []
        return [
            Reason(
                Kind.HOLES,
                f"{named(keys)}: every run of it ended without a result",
                f"look at the runs, then `mesh landing retry {contract.key}`",
                keys,
            )
        ]

    def bad_runs(self, contract: Contract) -> list[BadRun]:
        """The last runs, of the product and of its days, that failed before its own attempt began."""
        if self._bad_runs is None:
            self._bad_runs = last_bad_runs(self._environment)
        attempts = self._attempts(contract)
        began = {one.run_id for one in attempts}
        if any(one.run_id.startswith(OF_A_STREAM) for one in attempts):
            return []  # the stream's process was the last to make it, and is no run of Dagster's
        bad = [
            one
            for one in self._bad_runs.get(contract.key, ())
            if not {one.root, one.run_id} & began and is_part(contract, one.partition)
        ]
        of_days = {one.run_id for one in bad if one.partition}
        return [one for one in bad if one.partition or one.run_id not in of_days]

    def _runs(self, contract: Contract) -> list[Reason]:
        by_run: dict[str, list[BadRun]] = {}
        for bad in self.bad_runs(contract):
            by_run.setdefault(bad.run_id, []).append(bad)
        told = []
        for run_id, parts in by_run.items():
            days = tuple(sorted(one.partition for one in parts if one.partition))
            what = _ENDS.get(parts[0].status, "died")
            of = f"{named(days)}: " if days else ""
            told.append(
                Reason(
                    Kind.CRASHED,
                    f"{of}run {run_id} {what} before it began to make the product",
                    f"look at the run (`make dev`), mend it and {run_again(contract, days)}",
                    days,
                )
            )
        return told

    def _behind(self, contract: Contract, number: int, evidence: Evidence) -> list[Reason]:
        if contract.landing is not None or contract.stream is not None:
            return []  # it is made of what came; what its rows were related to was right when they came
        moved = []
        for key, (store, ours) in evidence.input_versions.items():
            if self._current_number(key, store) not in (None, ours):
                moved.append(key)
        if not moved:
            return []
        return [
            Reason(
                Kind.BEHIND,
                f"{', '.join(moved)} moved on since version {number} was made",
                f"`mesh run {contract.key}`",
                tuple(moved),
            )
        ]

    def _current_number(self, key: str, store: str) -> int | None:
        if key not in self._numbers:
            try:
                stores = [s for s in self._environment.stores.values() if s.name == store]
                versions = stores[0].versions(key) if stores else []
            except Exception:  # noqa: BLE001 - that product's own row says what is wrong with it
                versions = []
            self._numbers[key] = (store, versions[-1].number) if versions else None
        known = self._numbers[key]
        return known[1] if known is not None and known[0] == store else None


@contextmanager
def _one_trouble(told: list[Reason], contract: Contract, what: str) -> Iterator[None]:
    """What cannot be read becomes a reason; the rest is told all the same."""
    try:
        yield
    except Unreadable as problem:
        told.append(Reason(Kind.UNREADABLE, f"{problem.file} {problem.problem}", problem.remedy))
    except LogProblem as problem:
        told.append(Reason(Kind.UNREADABLE, str(problem), "`mesh stream list` shows it"))
    except Exception as problem:  # noqa: BLE001 - of whichever store: it is this product's own
        said = str(problem).strip().splitlines() or [""]
        told.append(
            Reason(
                Kind.UNREADABLE,
                f"{what} cannot be read ({type(problem).__name__}: {said[0]})",
                f"`mesh check`, and `mesh versions {contract.key}`, may say more",
            )
        )


def _out_of_step(
    contract: Contract, stores: Sequence[ProductStore], known: Sequence[Reason]
) -> list[Reason]:
    """What readers of each store see may be whole, and older than what was published."""
    told: list[Reason] = []
    for store in stores:
        with _one_trouble(told, contract, f"what is published in the {store.name}"):
            store.check_in_step(contract.key)
            if store is not stores[0] and store.versions(contract.key):
                store.open(contract.key)
    return [reason for reason in told if reason not in known]


def _held(partitions: Sequence[str], contract: Contract) -> tuple[str, ...]:
    """The parts that readers see."""
    return tuple(partitions) if contract.partitioning is not None else (UNPARTITIONED,)


def _stale(contract: Contract, current: Version) -> list[Reason]:
    if contract.freshness is None or is_fresh(contract, current):
        return []
    return [
        Reason(
            Kind.STALE,
            f"version {current.number} is of {current.published_at:%Y-%m-%d %H:%M}, and the contract "
            f"promises one every {duration(contract.freshness)}",
            f"`mesh run +{contract.key}`, or see why nothing came (`mesh landing`)",
        )
    ]


def is_fresh(
    contract: Contract,
    current: Version,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> bool:
    """Whether the version is as young as the contract promises."""
    return contract.freshness is None or clock() - current.published_at <= contract.freshness
