"""A landed Parquet file that conforms already, published as it is: what that takes beyond its audit.

    python -m benchmarks.adopt [--rows N] [--repeat N]

The file and its contract of ten rules are those of `audit.py`. Each in a fresh process: the mesh from
the landed object to a version of the lake; its audit alone, of the file where it lies; the same rows of
other types, which are decoded and written again; pyiceberg's `add_files` of a copy, unaudited. Prints
seconds after imports (medians), by the clock and of the processor. Timings are printed, never asserted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.audit_peers.terms import contract_of
from benchmarks.results.figures import Figure, report

LABELS = {
    "audited": "the mesh: audited where it lies",
    "adopted": "the mesh: adopted as it is",
    "rewritten": "the mesh: of other types, written again",
    "add_files": "pyiceberg, add_files of a copy, unaudited",
}
# Seconds beyond the audit.
LIMIT = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--contender", help="(for its own processes)")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(_CONTENDERS[options.contender](options.folder)))
        return
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as temporary:
        folder = Path(temporary)
        generate = [sys.executable, "-m", "benchmarks.audit_peers.data", folder, str(options.rows)]
        subprocess.run(generate, check=True)
        took: dict[str, list[dict[str, float]]] = {name: [] for name in LABELS}
        for _ in range(options.repeat):
            for name in LABELS:
                took[name].append(_run(name, folder))
    seconds = {
        (name, part): statistics.median(one[part] for one in runs)
        for name, runs in took.items()
        for part in runs[0]
    }
    for (name, part), median in seconds.items():
        print(f"{LABELS[name]:45}{part:8}{median:8.2f} s")
    whole = seconds["adopted", "whole"]
    beyond = whole - seconds["audited", "whole"]
    report(
        [
            Figure("publish a file that conforms, beyond its audit", beyond, limit=LIMIT),
            *(
                Figure(
                    "publish a file that conforms", whole, "s", LABELS[peer], seconds[peer, "whole"]
                )
                for peer in ("rewritten", "add_files")
            ),
        ]
    )


def _run(name: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.adopt", "--contender", name, "--folder", folder]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


# -- the contenders, each in its own process -----------------------------------------------------


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(clocks: tuple[float, float]) -> dict[str, float]:
    whole, processor = (now - then for now, then in zip(_clocks(), clocks, strict=True))
    return {"whole": whole, "of CPU": processor}


def _audited(folder: Path) -> dict[str, float]:
    from shared_resources.contracts.file_formats import PARQUET
    from shared_resources.contracts.model import Landing
    from shared_resources.contracts.odcs import read_contract
    from shared_resources.governance.audit.audit import audit
    from shared_resources.governance.audit.engine.staged_data import StagedData
    from shared_resources.landing.reader import stage_object
    from shared_resources.stores.protocol import StagedBatch

    contract = read_contract(contract_of(folder))
    contract = replace(contract, landing=Landing(contract.key, PARQUET, "*"))
    file = folder / "rows.parquet"
    with tempfile.TemporaryDirectory(dir=folder) as work:
        clocks = _clocks()
        into = Path(work)
        staged = stage_object(contract, file, file.name, into, audit_follows=True, in_place=True)
        found = audit(StagedData(StagedBatch(contract.key, "b1", into, staged.files)), contract)
        assert found.passed
        return _since(clocks)


def _adopted(folder: Path) -> dict[str, float]:
    return _published(folder, folder / "rows.parquet")


def _rewritten(folder: Path) -> dict[str, float]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    other = folder / "other.parquet"
    if not other.exists():
        file = pq.ParquetFile(folder / "rows.parquet")
        place = file.schema_arrow.get_field_index("quantity")
        schema = file.schema_arrow.set(place, pa.field("quantity", pa.int32()))
        with pq.ParquetWriter(other, schema, compression="zstd") as writer:
            for batch in file.iter_batches(250_000):
                writer.write_batch(batch.cast(schema))
    return _published(folder, other)


def _published(folder: Path, file: Path) -> dict[str, float]:
    """From the object in the landing zone to the version that readers see, as a run does it."""
    # What it imports when it is asked, before the clock starts.
    import shared_resources.stores.lake.catalog.sqlite_tables
    import shared_resources.stores.lake.committing.publishing
    import shared_resources.stores.lake.snapshot  # noqa: F401
    from shared_resources.contracts.file_formats import PARQUET
    from shared_resources.contracts.model import Landing
    from shared_resources.contracts.odcs import read_contract
    from shared_resources.evidence.record import CheckOutcome, Evidence
    from shared_resources.governance.audit.audit import audit
    from shared_resources.governance.audit.engine.staged_data import StagedData
    from shared_resources.landing.reader import stage_object
    from shared_resources.stores.cleared import clear
    from shared_resources.stores.lake.store import LakeStore
    from shared_resources.stores.protocol import StagedBatch
    from shared_resources.stores.staging.fingerprints import fingerprints_as_staged

    contract = read_contract(contract_of(folder))
    contract = replace(contract, landing=Landing(contract.key, PARQUET, "*"))
    with tempfile.TemporaryDirectory(dir=folder) as work:
        clocks = _clocks()
        store = LakeStore(Path(work) / "lake")
        staging = store.staging_folder(contract, "b1")
        copy = staging / "landed" / "object.parquet"
        copy.parent.mkdir()
        shutil.copyfile(file, copy)
        staged = stage_object(contract, copy, file.name, staging, audit_follows=True)
        copy.unlink()
        batch = StagedBatch(contract.key, "b1", staging, staged.files)
        seen = fingerprints_as_staged(batch.files)
        found = audit(StagedData(batch), contract)
        checks = tuple(CheckOutcome(r.rule.name, r.passed, r.rule.severity) for r in found.results)
        proof = Evidence("benchmark", contract.version, contract.digest, checks)
        store.publish(contract, clear(batch, proof, seen))
        assert store.open(contract.key).version.rows == found.rows
        return _since(clocks)


def _add_files(folder: Path) -> dict[str, float]:
    import pyarrow.parquet as pq
    import pyiceberg.io.pyarrow  # noqa: F401
    from pyiceberg.catalog.sql import SqlCatalog

    with tempfile.TemporaryDirectory(dir=folder) as work:
        clocks = _clocks()
        catalog = SqlCatalog("c", uri=f"sqlite:///{work}/c.db", warehouse=work)
        catalog.create_namespace("order")
        copy = Path(work) / "copy.parquet"
        shutil.copyfile(folder / "rows.parquet", copy)
        table = catalog.create_table("order.lines", schema=pq.read_schema(copy))
        table.add_files([str(copy)])
        assert table.scan().count() == pq.read_metadata(copy).num_rows
        return _since(clocks)


_CONTENDERS: dict[str, Callable[[Path], dict[str, float]]] = {
    "audited": _audited,
    "adopted": _adopted,
    "rewritten": _rewritten,
    "add_files": _add_files,
}

if __name__ == "__main__":
    main()
