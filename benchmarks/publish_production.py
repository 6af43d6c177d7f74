"""Publishing ten million rows to S3 and to Snowflake, beside what dagster offers; fresh processes.

    python -m benchmarks.publish_production [--rows N] [--repeat N]

Both are their stand-ins, in processes of their own that are started anew for every contender: what
counts is what the publishing process needs, and the servers' share of the time is the same for all.
Every contender reads the same Parquet file. The lake on S3 and the warehouse on Snowflake stage the
stream (what the audit reads) and publish it; the peers get a pandas frame, as they must, and write
it once, unaudited: dagster-aws's pickle IO manager and dagster-snowflake-pandas. Then each asks the
server how much is there. Prints seconds after imports, processor seconds and the peak of memory of
the publishing process, and ratios to ours on the same server. Timings are printed, never asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.publish import generate, stage_and_publish

LABELS = {
    "lake": "mesh lake on S3: stage, publish",
    "pickle": "dagster-aws S3PickleIOManager, pandas",
    "warehouse": "mesh warehouse on Snowflake: stage, publish",
    "pandas": "dagster-snowflake-pandas",
}
OURS = {"lake": "lake", "pickle": "lake", "warehouse": "warehouse", "pandas": "warehouse"}


@dataclass(frozen=True)
class Measured:
    seconds: float
    processor_seconds: float
    mebibytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--contender", help="(for its own processes)")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.contender == "generate":
        generate(options.folder, options.rows)
        return
    if options.contender:
        _contend(options.contender, options.folder, options.rows)
        return
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as temporary:
        folder = Path(temporary)
        # In a process of its own: a child's peak of memory counts from its parent's.
        _start("generate", folder, options.rows, os.environ).wait()
        size = (folder / "rows.parquet").stat().st_size / 2**20
        print(f"{options.rows:,} rows, {size:,.0f} MiB of Parquet, {os.cpu_count()} processors")
        runs: dict[str, list[Measured]] = {name: [] for name in LABELS}
        for _ in range(options.repeat):
            for name in LABELS:
                runs[name].append(_run(name, folder, options.rows))
    _print(runs)


def _run(name: str, folder: Path, rows: int) -> Measured:
    from tests.stand_ins import running_stand_ins

    with tempfile.TemporaryDirectory(dir=folder) as work, running_stand_ins() as servers:
        (Path(work) / "rows.parquet").symlink_to(folder / "rows.parquet")
        variables = {**os.environ, **servers.fresh(), "MESH_HOME": f"{work}/home"}
        child = _start(name, Path(work), rows, variables)
        assert child.stdout is not None
        report = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        if status != 0:
            raise SystemExit(f"{name} failed")
    told = json.loads(report.splitlines()[-1])
    return Measured(told["seconds"], usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _start(name: str, folder: Path, rows: int, variables: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.publish_production", "--contender", name]
    return subprocess.Popen(
        [*command, "--folder", folder, "--rows", str(rows)],
        env=variables,
        stdout=subprocess.PIPE,
        text=True,
    )


def _print(runs: dict[str, list[Measured]]) -> None:
    def median(name: str, field: str) -> float:
        return statistics.median(getattr(run, field) for run in runs[name])

    titles = ("seconds", "cpu s", "MiB", "time", "memory")
    print(" " * 44, *(f"{title:>8}" for title in titles))
    for name, label in LABELS.items():
        seconds, memory = median(name, "seconds"), median(name, "mebibytes")
        print(
            f"{label:44} {seconds:8.2f} {median(name, 'processor_seconds'):8.2f} {memory:8.0f} "
            f"{seconds / median(OURS[name], 'seconds'):7.1f}x "
            f"{memory / median(OURS[name], 'mebibytes'):7.1f}x"
        )


# -- the contenders, each in its own process -----------------------------------------------------


def _contend(name: str, folder: Path, rows: int) -> None:
    contender = _CONTENDERS[name]()
    started = time.perf_counter()
    found = contender(folder)
    told = {"seconds": time.perf_counter() - started}
    assert found == rows, f"{name} published {found} rows of {rows}"
    print(json.dumps(told))


Contender = Callable[[Path], int]


def _lake() -> Contender:
    return _ours("lake")


def _warehouse() -> Contender:
    return _ours("warehouse")


def _ours(server: str) -> Contender:
    from shared_resources import wiring
    from shared_resources.contracts.model import Server

    store = wiring.current().stores[Server(server)]
    return lambda folder: stage_and_publish(store, folder)[0]


def _pickle() -> Contender:
    import pandas as pd
    from dagster_aws.s3 import S3PickleIOManager, S3Resource

    bucket = os.environ["MESH_LAKE"].removeprefix("s3://").partition("/")[0]

    def run(folder: Path) -> int:
        manager = S3PickleIOManager(s3_resource=S3Resource(), s3_bucket=bucket)
        frame = pd.read_parquet(folder / "rows.parquet")
        with _output_context() as context:
            manager.handle_output(context, frame)
        found = S3Resource().get_client().list_objects_v2(Bucket=bucket, Prefix="dagster/")
        return len(frame) if found["KeyCount"] == 1 else 0

    return run


def _pandas() -> Contender:
    import pandas as pd
    from dagster._core.storage.db_io_manager import DbIOManager
    from dagster_snowflake import SnowflakeResource
    from dagster_snowflake.snowflake_io_manager import SnowflakeDbClient
    from dagster_snowflake_pandas import SnowflakePandasTypeHandler

    account = {
        name: os.environ[f"SNOWFLAKE_{name.upper()}"]
        for name in ("account", "user", "password", "warehouse", "database")
    }
    # dagster-snowflake's IO manager hands on neither host nor protocol; its resource does.
    endpoint = {name: os.environ[f"SNOWFLAKE_{name.upper()}"] for name in ("host", "protocol")}
    endpoint["port"] = os.environ["SNOWFLAKE_PORT"]

    class LoopbackClient(SnowflakeDbClient):
        @staticmethod
        @contextmanager
        def connect(context: Any, table_slice: Any) -> Iterator[Any]:
            resource = SnowflakeResource(
                **account,
                schema=table_slice.schema if table_slice else None,
                additional_snowflake_connection_args=endpoint,
            )
            with resource.get_connection(raw_conn=False) as connection:
                yield connection

    def run(folder: Path) -> int:
        manager = DbIOManager(
            db_client=LoopbackClient(),
            io_manager_name="SnowflakeIOManager",
            database=account["database"],
            type_handlers=[SnowflakePandasTypeHandler()],
        )
        frame = pd.read_parquet(folder / "rows.parquet")
        with LoopbackClient.connect(None, None) as connection:
            connection.cursor().execute(f"CREATE DATABASE IF NOT EXISTS {account['database']}")
        with _output_context() as context:
            manager.handle_output(context, frame)
        with LoopbackClient.connect(None, None) as connection:
            table = f"{account['database']}.SHOP.ITEMS"
            found = connection.cursor().execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(found[0])

    return run


@contextmanager
def _output_context() -> Iterator[Any]:
    import dagster as dg

    key = dg.AssetKey(["shop", "items"])
    with dg.build_output_context(asset_key=key) as context:
        yield context


_CONTENDERS = {"lake": _lake, "pickle": _pickle, "warehouse": _warehouse, "pandas": _pandas}


if __name__ == "__main__":
    main()
