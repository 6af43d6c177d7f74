"""A landing sensor with everything around it that may go wrong: Dagster, runs, S3, its events.

Belongs here: a daemon that launches what a tick asks for, runs that take, publish and note as real
ones do, and the deaths of both. Zone, ledger, queue and Dagster's instance are the real ones.
Does not belong here: what must hold (the tests), reading and auditing objects (a run of the mesh).
"""

from __future__ import annotations

import itertools
import json
import os
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

import dagster as dg

from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.ledger.states import State
from shared_resources.contracts.model import Contract, LandingMode, Partitioning
from shared_resources.data_products.batch import Attempt, Run
from shared_resources.data_products.makers.choice_of_objects import NothingToIngest, choose_objects
from shared_resources.environment import Environment
from shared_resources.landing.errors import ObjectChanged
from shared_resources.locations.sensing.landing_sensor import landing_sensor
from shared_resources.stores.protocol import Version
from shared_resources.wiring import LocalEnvironment, ProductionEnvironment
from tests.contract_factory import make_version
from tests.landing.staging import landing_contract

_numbers = itertools.count()
Status = dg.DagsterRunStatus


class Clock:
    """The time, which a test may let pass."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, by: timedelta) -> None:
        self.ahead += by


@dataclass
class PublishedBatches:
    """What a store and a quarantine know of batches, for they are the evidence."""

    made: list[Version] = field(default_factory=list)
    entries: list[SimpleNamespace] = field(default_factory=list)

    def versions(self, product: str) -> list[SimpleNamespace]:
        return self.made

    def published_batch(self, product: str, batch_id: str) -> Version | None:
        return next((one for one in self.made if one.batch_id == batch_id), None)

    def list(self, product: str) -> list[SimpleNamespace]:
        return self.entries


@dataclass(frozen=True)
class Simulated(LocalEnvironment):
    """The zone, queue and state of another environment, with `batches` for stores."""

    of: Environment
    batches: PublishedBatches = field(default_factory=PublishedBatches, hash=False, compare=False)

    @cached_property
    def landing_zone(self) -> Any:
        return self.of.landing_zone

    @cached_property
    def sensed_zone(self) -> Any:
        return self.of.sensed_zone

    @cached_property
    def state(self) -> Any:
        return self.of.state

    @cached_property
    def quarantine(self) -> Any:
        return self.batches

    def landing_queue(self, contract: Contract) -> Any:
        return self.of.landing_queue(contract)

    def stores_of(self, contract: Contract) -> Any:
        return (self.batches,)


def contract_of(mode: LandingMode, name: str | None = None) -> Contract:
    """A contract with a prefix and a ledger of its own."""
    number = next(_numbers)
    name = name or f"lines_{number}_{uuid.uuid4().hex[:6]}"
    daily = mode is LandingMode.PARTITION
    contract = landing_contract(
        "csv", object_name="{partition}.csv" if daily else "*.csv", mode=mode, prefix=f"shop/{name}"
    )
    spanned = Partitioning("day", date(2026, 1, 1), date(2027, 1, 1)) if daily else None
    return replace(contract, name=name, partitioning=spanned)


class Producer:
    """Puts objects below the contract's prefix, into the folder or the bucket of an environment.

    With `whole_seconds` a folder tells their times as a bucket does.
    """

    def __init__(
        self, environment: Environment, contract: Contract, *, whole_seconds: bool = False
    ) -> None:
        assert contract.landing is not None
        self.prefix = contract.landing.prefix
        self._environment = environment
        self._whole_seconds = whole_seconds
        self._bucket = isinstance(environment, ProductionEnvironment)
        if self._bucket:
            self._settings = environment.settings
            self._s3 = environment.settings.s3()

    def key(self, name: str) -> str:
        return f"{self.prefix}/{name}"

    def put(self, name: str, content: str = "id\n1\n") -> dict[str, Any]:
        if self._bucket:
            answer = self._s3.put_object(**self._where(name), Body=content.encode())
            return {"eTag": answer["ETag"].strip('"'), "versionId": answer.get("VersionId", "null")}
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        upload = path.with_name(f".{path.name}")
        upload.write_text(content)
        if self._whole_seconds:
            os.utime(upload, (int(upload.stat().st_mtime),) * 2)
        upload.replace(path)
        return {}

    def delete(self, name: str) -> None:
        if self._bucket:
            self._s3.delete_object(**self._where(name))
        else:
            self._path(name).unlink(missing_ok=True)

    def _where(self, name: str) -> dict[str, str]:
        location = self._settings.landing
        return {"Bucket": location.bucket, "Key": location.key(self.key(name))}

    def _path(self, name: str) -> Path:
        return self._environment.landing_zone.root / self.key(name)  # type: ignore[attr-defined]

    def event(self, name: str, told: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What S3 tells of an object, as it puts it into a queue."""
        location = self._settings.landing
        record = {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "eventTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}",
            "s3": {
                "bucket": {"name": location.bucket},
                "object": {
                    "key": quote_plus(location.key(self.key(name)), safe="/"),
                    **(told or {}),
                },
            },
        }
        return {"Records": [record]}


def stands(cursor: str | None) -> dict[str, Any]:
    """Where the one product of a sensor stands, by its cursor."""
    (product,) = json.loads(cursor or "")["products"].values()
    return dict(product)


class Daemon:
    """Evaluates the sensor, and launches what it asks for as Dagster does: a run key once."""

    def __init__(
        self, environment: Environment, contract: Contract, instance: dg.DagsterInstance
    ) -> None:
        self.clock = Clock()
        self.contract = contract
        self.environment = Simulated(environment.root, environment.home, environment)
        self.instance = instance
        self.ledger = Ledger(self.environment.state, contract.key, self.clock)
        self.cursor: str | None = None
        self.processed: Counter[tuple[str, str]] = Counter()
        self.sensor = landing_sensor(
            contract.domain, [contract], environment=lambda: self.environment, clock=self.clock
        )

    def evaluate(self) -> dg.SensorResult:
        """A tick of which nothing has come yet."""
        with dg.build_sensor_context(instance=self.instance, cursor=self.cursor) as context:
            result = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        return result

    def tick(self, *, launch: bool = True, keep_cursor: bool = True) -> dg.SensorResult:
        """Without `launch` or `keep_cursor` the daemon dies before that."""
        result = self.evaluate()
        for request in result.run_requests or () if launch else ():
            self.launch(request)
        if keep_cursor:
            self.cursor = result.cursor
        return result

    def launch(self, request: dg.RunRequest) -> None:
        tags = {"dagster/run_key": request.run_key or ""}
        if self.instance.get_runs(dg.RunsFilter(tags=tags)):
            return
        run = dg.DagsterRun(
            job_name="job",
            run_id=str(uuid.uuid4()),
            status=Status.STARTING,
            tags={
                **request.tags,
                **tags,
                **({"dagster/partition": day} if (day := request.partition_key) else {}),
            },
        )
        self.instance.add_run(run)

    @property
    def stands(self) -> dict[str, Any]:
        """Where the product stands, by the cursor."""
        return stands(self.cursor)

    def waiting(self) -> list[dg.DagsterRun]:
        return list(self.instance.get_runs(dg.RunsFilter(statuses=[Status.STARTING])))[::-1]

    def run(self, run: dg.DagsterRun, *, dies: str = "", refuses: bool = False) -> None:
        """What a run of the product does; it may die at the start, `taken` or `published`."""
        ended = self._run(run, dies, refuses)
        with_status = run.with_status(Status.SUCCESS if ended else Status.FAILURE)
        event = dg.DagsterEvent(
            event_type_value=(
                dg.DagsterEventType.RUN_SUCCESS if ended else dg.DagsterEventType.RUN_FAILURE
            ).value,
            job_name=run.job_name,
        )
        self.instance.handle_run_event(with_status.run_id, event)

    def _run(self, run: dg.DagsterRun, dies: str, refuses: bool) -> bool:
        if dies == "start":
            return False
        made = Run(run.run_id, _days(run))
        definition: Any = SimpleNamespace(contract=self.contract, key=self.contract.key)
        batch_id = made.batch_id(self.contract.key)
        attempt = Attempt(self.environment, definition, made, batch_id)
        zone = self.environment.landing_zone
        fetched = []
        copy = self.environment.home / "copy"
        contents = {}
        try:
            for obj in choose_objects(attempt, run.tags.get("mesh/object")).values():
                fetched.append(zone.fetch(obj, copy))
                contents[obj.key] = copy.read_text()
                self.ledger.take(fetched[-1:], run.run_id, batch_id)
        except (NothingToIngest, ObjectChanged):
            return False
        if dies == "taken":
            return False
        pairs = [(obj.key, obj.etag) for obj in fetched]
        if refuses:
            entry = SimpleNamespace(objects=pairs, batch_id=batch_id)
            self.environment.batches.entries.append(entry)
        else:
            number = len(self.environment.batches.made) + 1
            proof = {"objects": tuple(pairs), "partitions": made.partitions}
            version = make_version(self.contract, number, batch_id, **proof)
            self.environment.batches.made.append(version)
        self.processed.update(contents.items())
        if dies == "published":
            return False
        self.ledger.note(pairs, State.REFUSED if refuses else State.PUBLISHED)
        return True

    def work_off(self) -> None:
        """Every run that waits succeeds."""
        for run in self.waiting():
            self.run(run)

    def settle_down(self, rounds: int = 12) -> None:
        """Let time pass until nothing is left to do."""
        for _ in range(rounds):
            self.tick()
            self.work_off()
            self.clock.advance(timedelta(minutes=31))


def _days(run: dg.DagsterRun) -> tuple[str, ...]:
    if day := run.tags.get("dagster/partition"):
        return (day,)
    first = run.tags.get("dagster/asset_partition_range_start")
    if first is None:
        return ("",)
    last = date.fromisoformat(run.tags["dagster/asset_partition_range_end"])
    span = (last - date.fromisoformat(first)).days + 1
    return tuple((last - timedelta(days=n)).isoformat() for n in reversed(range(span)))


@contextmanager
def counted(client: Any) -> Iterator[Counter[str]]:
    """How often each operation is called on a boto3 client, retries left out."""
    calls: Counter[str] = Counter()

    def count(model: Any, **_: object) -> None:
        calls[str(model.name)] += 1

    client.meta.events.register("before-call", count)
    try:
        yield calls
    finally:
        client.meta.events.unregister("before-call", count)
