"""A landing sensor's tick that finds ten new objects, beside what Dagster's own S3 sensor does.

    python -m benchmarks.sensor [--keys N ...] [--repeat N]

A prefix holds objects that were all ingested, then ten more land. The peer is
`dagster_aws.s3.sensor.get_objects` with the last key that it saw; the mesh's tick is the whole of it:
listing, the ledger, the run requests, the cursor. Both talk over HTTP to a small server that keeps
its keys sorted, since moto's time to list grows with the bucket. Prints list calls, all calls and
milliseconds, the median of the rounds, and asserts the calls: a tick makes one list call, however
many keys there are, and at 100,000 keys the peer makes a hundred times as many.
"""

from __future__ import annotations

import argparse
import bisect
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

from benchmarks.results.figures import Figure, report

if TYPE_CHECKING:
    import dagster as dg

    from shared_resources.arrivals.ledger.ledger import Ledger
    from shared_resources.contracts.model import Contract

BUCKET, ZONE, PREFIX = "bench", "landing", "order/lines"
FIRST_DAY = date(1500, 1, 1)
NEW = 10


@dataclass(frozen=True)
class Measured:
    list_calls: int
    calls: int
    milliseconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help="(for its own processes)")
    options = parser.parse_args()
    if options.serve:
        _serve()
        return
    print(f"{'keys':>8} {'tick with 10 new objects':36} {'list calls':>10} {'calls':>6} {'ms':>9}")
    for keys in options.keys:
        peer, tick, idle = _measure(keys, options.repeat)
        labels = {
            "dagster_aws get_objects": peer,
            "mesh: the tick": tick,
            "mesh: nothing new": idle,
        }
        for label, measured in labels.items():
            print(
                f"{keys:8,} {label:36} {measured.list_calls:10} {measured.calls:6} "
                f"{measured.milliseconds:9.1f}"
            )
        labelled = f"a tick with 10 new objects of {keys:,}"
        report([Figure(labelled, tick.milliseconds, "ms", "get_objects", peer.milliseconds)])
        assert (tick.list_calls, idle.list_calls) == (1, 1)
        assert keys < 100_000 or peer.list_calls >= 100 * tick.list_calls


def _measure(keys: int, rounds: int) -> tuple[Measured, Measured, Measured]:
    import boto3
    import dagster as dg
    from dagster_aws.s3.sensor import get_objects

    with _server() as url, tempfile.TemporaryDirectory(prefix="mesh-bench-") as home:
        s3 = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="eu-central-1",
            aws_access_key_id="bench",
            aws_secret_access_key="bench",
        )
        calls: Counter[str] = Counter()
        s3.meta.events.register("before-call", lambda model, **_: calls.update([str(model.name)]))
        _land(s3, 0, keys)
        with dg.DagsterInstance.ephemeral() as instance:
            ticks = _Ticks(s3, Path(home), instance)
            ticks.know_everything()
            runs: list[tuple[Measured, Measured, Measured]] = []
            for number in range(rounds):
                before = keys + number * NEW
                _land(s3, before, NEW)
                last = f"{ZONE}/{_key(before - 1)}"

                def peer(last: str = last) -> int:
                    return len(get_objects(BUCKET, f"{ZONE}/{PREFIX}/", last, client=s3))

                runs.append(
                    (
                        _timed(calls, peer, NEW),
                        _timed(calls, ticks.tick, 1),
                        _timed(calls, ticks.tick, 0),
                    )
                )
                ticks.ingest()
    return (
        _median([r[0] for r in runs]),
        _median([r[1] for r in runs]),
        _median([r[2] for r in runs]),
    )


def _timed(calls: Counter[str], contender: Callable[[], int], expected: int) -> Measured:
    calls.clear()
    started = time.perf_counter()
    found = contender()
    milliseconds = (time.perf_counter() - started) * 1000
    assert found == expected, f"{found} instead of {expected}"
    return Measured(calls["ListObjectsV2"], calls.total(), milliseconds)


def _median(runs: list[Measured]) -> Measured:
    return Measured(
        int(statistics.median(run.list_calls for run in runs)),
        int(statistics.median(run.calls for run in runs)),
        statistics.median(run.milliseconds for run in runs),
    )


# -- the mesh ------------------------------------------------------------------------------------


class _Ticks:
    """The product's sensor, whose ledger knows every object as ingested."""

    def __init__(self, s3: Any, home: Path, instance: dg.DagsterInstance) -> None:
        from shared_resources.arrivals.ledger.ledger import Ledger
        from shared_resources.locations.sensing.landing_sensor import landing_sensor

        self._contract = _contract()
        self._environment = _environment(s3, home)
        self._instance = instance
        self._ledger: Ledger = Ledger(self._environment.state, self._contract.key)
        self._sensor = landing_sensor(
            self._contract.domain, [self._contract], environment=lambda: self._environment
        )
        self._cursor: str | None = None

    def know_everything(self) -> None:
        """What is there was ingested; the sensor catches up with it, tick by tick."""
        from shared_resources.arrivals.ledger.states import State
        from tests.landing.listing import lies_below

        there = lies_below(self._environment.landing_zone, PREFIX)
        self._ledger.adopt({State.PUBLISHED: [(obj.key, obj.etag) for obj in there]})
        while '"caught_up": true' not in str(self._cursor):
            assert self.tick() == 0

    def tick(self) -> int:
        """One evaluation; the runs that it asks for."""
        import dagster as dg

        with dg.build_sensor_context(instance=self._instance, cursor=self._cursor) as context:
            result = self._sensor(context)
        assert isinstance(result, dg.SensorResult)
        self._cursor = result.cursor
        return len(result.run_requests or ())

    def ingest(self) -> None:
        """The runs that were asked for have ended well."""
        from shared_resources.arrivals.ledger.states import State

        pairs = [(entry.key, entry.etag) for entry in self._ledger.questions.under_way()]
        self._ledger.note(pairs, State.PUBLISHED)


def _environment(s3: Any, home: Path) -> Any:
    from shared_resources.landing.zones.s3 import S3LandingZone
    from shared_resources.production.settings import S3Location
    from shared_resources.wiring import LocalEnvironment

    nothing = SimpleNamespace(versions=lambda product: [], list=lambda product: [])

    class OverHttp(LocalEnvironment):
        @cached_property
        def landing_zone(self) -> Any:
            return S3LandingZone(lambda: s3, S3Location(BUCKET, ZONE))

        @cached_property
        def quarantine(self) -> Any:
            return nothing

        def stores_of(self, contract: Contract) -> Any:
            return (nothing,)

    return OverHttp(root=home, home=home)


def _contract() -> Contract:
    from shared_resources.contracts.file_formats import CSV
    from shared_resources.contracts.model import (
        Classification,
        Column,
        Contract,
        Landing,
        LandingMode,
        Partitioning,
        Server,
    )
    from shared_resources.contracts.types import ColumnType, Family

    column = Column("day", ColumnType(Family.DATE), "The day.", Classification.INTERNAL)
    return Contract(
        path=Path("contract.odcs.yaml"),
        digest="0" * 64,
        id="order-lines",
        domain="order",
        name="lines",
        version="1.0.0",
        status="active",
        description="Lines, for the benchmark.",
        owner="order@example.com",
        columns=(column,),
        rules=(),
        servers=(Server.LAKE,),
        landing=Landing(PREFIX, CSV, "{partition}.csv", LandingMode.PARTITION),
        partitioning=Partitioning("day", FIRST_DAY, None),
    )


def _key(number: int) -> str:
    return f"{PREFIX}/{(FIRST_DAY + timedelta(days=number)).isoformat()}.csv"


def _land(s3: Any, first: int, count: int) -> None:
    """Objects of so many days; the server takes a whole range at once."""
    keys = "\n".join(f"{ZONE}/{_key(first + number)}" for number in range(count))
    s3.put_object(Bucket=BUCKET, Key="many", Body=keys.encode())


# -- S3, as much of it as is needed ------------------------------------------------------------------


@contextmanager
def _server() -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.sensor", "--serve"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()


def _serve() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _SortedKeys)
    print(server.server_address[1], flush=True)
    server.serve_forever()


class _SortedKeys(BaseHTTPRequestHandler):
    """ListObjectsV2 over sorted keys, and a PUT whose body names the keys that land."""

    protocol_version = "HTTP/1.1"
    keys: list[str] = []  # noqa: RUF012 - one bucket for all connections
    times: dict[str, str] = {}  # noqa: RUF012

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        # The later a key lands the later its time, to the second: the peer goes by times.
        start = datetime(2026, 1, 1, tzinfo=UTC)
        for key in body.split("\n"):
            at = start + timedelta(seconds=len(self.times))
            self.times[key] = f"{at:%Y-%m-%dT%H:%M:%S.000Z}"
        self.keys[:] = sorted(self.times)
        self._answer(b"", {"ETag": '"0"'})

    def do_GET(self) -> None:
        asked = {name: one[0] for name, one in parse_qs(urlsplit(self.path).query).items()}
        after = asked.get("continuation-token", asked.get("start-after", ""))
        prefix, limit = asked.get("prefix", ""), int(asked.get("max-keys", 1000))
        first = max(bisect.bisect_right(self.keys, after), bisect.bisect_left(self.keys, prefix))
        end = bisect.bisect_left(self.keys, prefix + "\U0010ffff")
        found = self.keys[first : min(end, first + limit)]
        more = first + len(found) < end
        self._answer(
            _listing(found, self.times, more).encode(), {"Content-Type": "application/xml"}
        )

    def _answer(self, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def _listing(keys: list[str], times: dict[str, str], more: bool) -> str:
    contents = "".join(
        f"<Contents><Key>{quote(key)}</Key><LastModified>{times[key]}</LastModified>"
        f"<ETag>&quot;{hash(key) & 0xFFFFFFFF:032x}&quot;</ETag><Size>100</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for key in keys
    )
    token = f"<NextContinuationToken>{keys[-1]}</NextContinuationToken>" if more else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{BUCKET}</Name><EncodingType>url</EncodingType>"
        f"<KeyCount>{len(keys)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>"
        f"{token}{contents}</ListBucketResult>"
    )


if __name__ == "__main__":
    main()
