"""Publishing ten million rows, beside what one would otherwise do; each in a fresh process.

    python -m benchmarks.publish [--rows N] [--repeat N]

Every contender reads the same Parquet file and leaves the rows where a consumer reads them, then
reads their number back. The lake and the warehouse stage the stream (what the audit reads) and
publish it; the peers write once, unaudited: pyiceberg's append, and Dagster's own file system IO
manager with a pandas frame. Prints seconds after imports, the part of them that publishing takes
after staging, processor seconds of the whole process, the peak of memory, and ratios to the lake.
Timings are printed, never asserted.
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results.figures import Figure, report

if TYPE_CHECKING:
    import pyarrow as pa

    from shared_resources.contracts.model import Contract
    from shared_resources.stores.attested.attestor import Attestor
    from shared_resources.stores.protocol import ProductStore

EXPRESSIONS = {
    "order_id": "i::BIGINT",
    "customer_id": "(hash(i) % 500_000)::BIGINT",
    "sku": "'SKU-' || (hash(i + 1) % 90_000)",
    "category": "'category ' || (i % 40)",
    "amount": "((hash(i + 2) % 100_000) / 100)::DOUBLE",
    "quantity": "(hash(i + 3) % 20)::BIGINT",
    "ordered_at": "TIMESTAMP '2017-01-01' + INTERVAL 3 SECOND * i",
}
LABELS = {
    "lake": "mesh lake: stage, publish",
    "warehouse": "mesh warehouse: stage, publish",
    "append": "pyiceberg append",
    "pickle": "dagster file system IO manager, pandas",
}

# With what the lake may take of their time.
PEERS = {"append": 0.5, "pickle": None}


@dataclass(frozen=True)
class Measured:
    seconds: float
    processor_seconds: float
    publishing: float | None
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
        _start("generate", folder, options.rows).wait()
        size = (folder / "rows.parquet").stat().st_size / 2**20
        print(f"{options.rows:,} rows, {size:,.0f} MiB of Parquet, {os.cpu_count()} processors")
        runs: dict[str, list[Measured]] = {name: [] for name in LABELS}
        for _ in range(options.repeat):
            for name in LABELS:
                runs[name].append(_run(name, folder, options.rows))
    _print(runs)
    took = {name: statistics.median(run.seconds for run in of) for name, of in runs.items()}
    report(
        Figure("make and publish in the lake", took["lake"], "s", LABELS[peer], took[peer], limit)
        for peer, limit in PEERS.items()
    )


def generate(folder: Path, rows: int) -> None:
    import duckdb

    selected = ", ".join(f"{expression} AS {name}" for name, expression in EXPRESSIONS.items())
    duckdb.sql(
        f"COPY (SELECT {selected} FROM range({rows}) AS made(i)) "
        f"TO '{folder / 'rows.parquet'}' (COMPRESSION zstd)"
    )


def _run(name: str, folder: Path, rows: int) -> Measured:
    with tempfile.TemporaryDirectory(dir=folder) as work:
        (Path(work) / "rows.parquet").symlink_to(folder / "rows.parquet")
        child = _start(name, Path(work), rows)
        assert child.stdout is not None
        report = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        if status != 0:
            raise SystemExit(f"{name} failed")
    told = json.loads(report.splitlines()[-1])
    processor = usage.ru_utime + usage.ru_stime
    return Measured(told["seconds"], processor, told["publishing"], usage.ru_maxrss / 1024)


def _start(name: str, folder: Path, rows: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.publish", "--contender", name]
    return subprocess.Popen(
        [*command, "--folder", folder, "--rows", str(rows)], stdout=subprocess.PIPE, text=True
    )


def _print(runs: dict[str, list[Measured]]) -> None:
    def median(name: str, field: str) -> float:
        values = (getattr(run, field) for run in runs[name])
        return statistics.median(value or 0.0 for value in values)

    titles = ("seconds", "publish", "cpu s", "MiB", "time", "memory")
    print(" " * 40, *(f"{title:>8}" for title in titles))
    for name, label in LABELS.items():
        seconds, memory = median(name, "seconds"), median(name, "mebibytes")
        publishing = median(name, "publishing")
        print(
            f"{label:40} {seconds:8.2f} {f'{publishing:.2f}' if publishing else '-':>8} "
            f"{median(name, 'processor_seconds'):8.2f} {memory:8.0f} "
            f"{seconds / median('lake', 'seconds'):7.1f}x "
            f"{memory / median('lake', 'mebibytes'):7.1f}x"
        )


# -- the contenders, each in its own process -----------------------------------------------------


def _contend(name: str, folder: Path, rows: int) -> None:
    contender = _CONTENDERS[name]()
    started = time.perf_counter()
    found, publishing = contender(folder)
    told = {"seconds": time.perf_counter() - started, "publishing": publishing}
    assert found == rows, f"{name} published {found} rows of {rows}"
    print(json.dumps(told))


Contender = Callable[[Path], tuple[int, float | None]]


def _lake() -> Contender:
    # What it imports when it is asked, as the peers do before the clock starts.
    import shared_resources.stores.lake.committing.publishing
    import shared_resources.stores.lake.snapshot
    import shared_resources.stores.staging.staging  # noqa: F401
    from shared_resources.stores.lake.store import LakeStore

    attestor = _attestor()
    return lambda folder: stage_and_publish(
        LakeStore(folder / "lake", attestor=attestor(folder)), folder
    )


def _warehouse() -> Contender:
    from shared_resources.stores.embedded_warehouse.store import WarehouseStore

    attestor = _attestor()
    return lambda folder: stage_and_publish(
        WarehouseStore(folder / "warehouse", attestor(folder)), folder
    )


def _attestor() -> Callable[[Path], Attestor]:
    """Each version is attested and signed, as where a key is configured."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from shared_resources.evidence.envelope import Signer
    from shared_resources.registry.attestations import AttestationFolder
    from shared_resources.stores.attested.attestor import Attestor

    signer = Signer(Ed25519PrivateKey.generate())
    return lambda folder: Attestor(AttestationFolder(folder / "attestations"), lambda: signer)


def stage_and_publish(opened: ProductStore, folder: Path) -> tuple[int, float]:
    from shared_resources.evidence.record import Evidence
    from shared_resources.stores.cleared import clear
    from shared_resources.stores.protocol import StagedBatch
    from shared_resources.stores.staging.fingerprints import fingerprints
    from shared_resources.stores.staging.staging import write_staged

    items = contract()
    staging = opened.staging_folder(items, "b1")
    files = write_staged(stream(folder), staging, items, ("",))
    proof = Evidence("benchmark", items.version, items.digest, ())  # it has no rule to pass
    batch = StagedBatch(items.key, "b1", staging, files)
    cleared = clear(batch, proof, fingerprints(files))  # as the audit takes them
    started = time.perf_counter()
    opened.publish(items, cleared)
    publishing = time.perf_counter() - started
    return opened.open(items.key).version.rows, publishing


def contract() -> Contract:
    from shared_resources.contracts.model import Classification, Column, Contract, Server
    from shared_resources.contracts.types import ColumnType, Family

    families = {"BIGINT": Family.INTEGER, "DOUBLE": Family.FLOAT, "TIMES": Family.TIMESTAMP}

    def type_of(expression: str) -> ColumnType:
        found = (family for text, family in families.items() if text in expression)
        return ColumnType(next(found, Family.STRING))

    columns = tuple(
        Column(name, type_of(expression), f"The {name}.", Classification.INTERNAL)
        for name, expression in EXPRESSIONS.items()
    )
    return Contract(
        path=Path("contract.odcs.yaml"),
        digest="0" * 64,
        id="shop-items",
        domain="shop",
        name="items",
        version="1.0.0",
        status="active",
        description="Items, for the benchmark.",
        owner="shop@example.com",
        columns=columns,
        rules=(),
        servers=(Server.LAKE, Server.WAREHOUSE),
    )


def _append() -> Contender:
    import pyiceberg.io.pyarrow  # noqa: F401
    from pyiceberg.catalog.sql import SqlCatalog

    def run(folder: Path) -> tuple[int, None]:
        catalog = SqlCatalog("c", uri=f"sqlite:///{folder}/c.db", warehouse=str(folder))
        catalog.create_namespace("shop")
        reader = stream(folder)
        table = catalog.create_table("shop.items", schema=reader.schema)
        table.append(reader)
        return table.scan().count(), None

    return run


def _pickle() -> Contender:
    import dagster as dg
    import pandas as pd

    def run(folder: Path) -> tuple[int, None]:
        manager = dg.FilesystemIOManager(base_dir=str(folder / "storage"))
        key = dg.AssetKey(["shop", "items"])
        frame = pd.read_parquet(folder / "rows.parquet")
        with dg.build_output_context(asset_key=key) as context:
            manager.create_io_manager(dg.build_init_resource_context()).handle_output(
                context, frame
            )
        return len(frame), None

    return run


_CONTENDERS = {"lake": _lake, "warehouse": _warehouse, "append": _append, "pickle": _pickle}


def stream(folder: Path) -> pa.RecordBatchReader:
    """The rows as record batches, as a product's function would return them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(folder / "rows.parquet")
    return pa.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches(131_072))


if __name__ == "__main__":
    main()
