"""Reading through the door beside reading plainly, and opening a product that many have agreements about.

    python -m benchmarks.door [--rows N] [--repeat N] [--agreements N]

Who reads plainly is the product's owner, who sees it whole; the others see the same columns of the same
version, behind two masks, of the rows that a condition lets through. Each reads the rows as a stream of
record batches, in a fresh process; what is counted is the processor's seconds and the clock's, from
opening to the last row, imports aside. Opening is what one more opening takes in a process that has
opened before, and the first of a process besides. Timings are printed, never asserted.
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
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from benchmarks.publish import EXPRESSIONS, generate, stage_and_publish
from benchmarks.results.figures import Figure, report

KEY = "shop/items"
PLAIN, NONE, MANY = "shop", "shop/near", "many"
# What each consumer's role masks; all of them see the rows where this is so.
ROWS = "quantity >= 10"
MASKS: dict[str, dict[str, Any]] = {
    "campaigns": {"customer_id": "keyed-hash", "ordered_at": "truncate-to-month"},
    "research": {"amount": {"generalise": 10}, "ordered_at": "truncate-to-day"},
    "texts": {"sku": "keyed-hash", "category": "mask-alphanum"},
    "unique": {"order_id": "keyed-hash", "sku": "mask-alphanum"},
}
SAYS = {
    "campaigns": "a key of 500,000 people hashed, a moment's month",
    "research": "a number rounded down, a moment's day",
    "texts": "90,000 texts hashed, 40 others redacted",
    "unique": "10 million different keys hashed, 90,000 texts redacted",
}
# The clock's seconds, to those of reading plainly. None: known to be beyond, see docs/benchmarks.md.
LIMITS: dict[str, float | None] = {"campaigns": 1.3, "research": 1.3, "texts": 1.3, "unique": None}
MILLISECONDS = 20.0
OPENINGS = 30


@dataclass(frozen=True)
class Measured:
    seconds: float
    processor_seconds: float
    mebibytes: float
    rows: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--agreements", type=int, default=500)
    parser.add_argument("--contender", help="(for its own processes)")
    options = parser.parse_args()
    if options.contender == "publish":
        _publish(options.rows)
    elif options.contender == "open":
        _open(options.agreements)
    elif options.contender:
        _read(options.contender)
    else:
        _all(options.rows, options.repeat, options.agreements)


def _all(rows: int, repeat: int, agreements: int) -> None:
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        write_mesh(Path(folder))
        _run("publish", folder, "--rows", str(rows))
        runs: dict[str, list[Measured]] = {name: [] for name in (PLAIN, *MASKS)}
        for _ in range(repeat):
            for name, measured in runs.items():
                measured.append(Measured(**_run(name, folder)))
        opened = _run("open", folder, "--agreements", str(agreements))
    _print(runs)
    took = {name: min(run.seconds for run in of) for name, of in runs.items()}
    used = {name: min(run.processor_seconds for run in of) for name, of in runs.items()}
    report(
        [
            *(
                Figure(f"read: {SAYS[name]}{of}", seen[name], "s", "plainly", seen[PLAIN], limit)
                for name, limit in LIMITS.items()
                for of, seen in (("", took), (" (CPU)", used))
            ),
            *(
                Figure(
                    f"opening with {agreements} agreements, beyond with none: {when}",
                    opened[f"{when}, {MANY}"] - opened[f"{when}, {NONE}"],
                    "ms",
                    limit=MILLISECONDS,
                )
                for when in ("the first", "again")
            ),
        ]
    )


def _run(contender: str, folder: str, *arguments: str) -> Any:
    state = {"MESH_ROOT": folder, "MESH_HOME": str(Path(folder) / ".mesh")}
    command = [sys.executable, "-m", "benchmarks.door", "--contender", contender, *arguments]
    done = subprocess.run(
        command, env={**os.environ, **state}, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def _print(runs: dict[str, list[Measured]]) -> None:
    print(" " * 58, *(f"{title:>10}" for title in ("seconds", "CPU s", "peak MiB", "rows")))
    for name, of in runs.items():
        values = [
            f"{statistics.median(run.seconds for run in of):10.2f}",
            f"{statistics.median(run.processor_seconds for run in of):10.2f}",
            f"{max(run.mebibytes for run in of):10.0f}",
            f"{of[0].rows:>10,}",
        ]
        print(f"{SAYS.get(name, 'plainly'):<58}", *values)


# -- each in its own process ---------------------------------------------------------------------


def _publish(rows: int) -> None:
    from shared_resources.stores.lake.store import LakeStore
    from shared_resources.wiring import current

    home = current().home
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home) as work:
        generate(Path(work), rows)
        stage_and_publish(LakeStore(home / "lake"), Path(work))
    print("{}")


def _read(who: str) -> None:
    import resource

    import pyarrow.dataset  # noqa: F401 - as reading does, before the clock starts

    from shared_resources.access.door import Reader, open_for
    from shared_resources.access.principal import principal_named
    from shared_resources.wiring import current

    environment = current()
    reader = Reader(principal_named(who))
    open_for(environment, KEY, reader).batches(["order_id"]).read_next_batch()  # what it imports
    began, used = time.perf_counter(), time.process_time()
    rows = sum(batch.num_rows for batch in open_for(environment, KEY, reader).batches())
    told = {
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - used,
        "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "rows": rows,
    }
    print(json.dumps(told))


def _open(agreements: int) -> None:
    """Milliseconds of an opening: of who needs no agreement, and of one of many who have one."""
    from shared_resources.access.door import Reader, open_for
    from shared_resources.access.principal import principal_named
    from shared_resources.wiring import current

    environment = current()
    folder = environment.root / "domains" / "shop" / "products" / "items" / "agreements"
    for number in range(agreements):
        _write(folder / f"team{number}.oaas.yaml", _agreement(f"team{number}", "campaigns"))

    def took(who: str) -> float:
        began = time.process_time()
        open_for(environment, KEY, Reader(principal_named(who)))
        return 1_000 * (time.process_time() - began)

    took(NONE)  # what every opening imports
    told = {}
    for name, who in ((NONE, NONE), (MANY, f"team{agreements // 2}")):
        told[f"the first, {name}"] = took(who)
    for name, who in ((NONE, NONE), (MANY, f"team{agreements // 2}")):
        told[f"again, {name}"] = statistics.median(took(who) for _ in range(OPENINGS))
    print(json.dumps(told))


# -- the mesh ------------------------------------------------------------------------------------


def write_mesh(root: Path) -> None:
    _write(root / "workspace.yaml", "load_from: []\n")
    central = {
        "approvers": ["governance@example.com"],
        "purposes": {"care": {"description": "To help.", "classifications": ["internal"]}},
    }
    _write(root / "domains" / "governance.yaml", yaml.safe_dump(central))
    owner = "shop@example.com"
    domain = {
        "name": "shop", "description": "One domain.", "archetype": "source-aligned",
        "owner": owner, "owners": [owner], "contact": "#shop", "waivers": [],
    }  # fmt: skip
    _write(root / "domains" / "shop" / "domain.yaml", yaml.safe_dump(domain))
    product = root / "domains" / "shop" / "products" / "items"
    _write(product / "contract.odcs.yaml", yaml.safe_dump(_contract(owner), sort_keys=False))
    for consumer in MASKS:
        _write(product / "agreements" / f"{consumer}.oaas.yaml", _agreement(consumer, consumer))


def _contract(owner: str) -> dict[str, Any]:
    logical = {"BIGINT": "integer", "DOUBLE": "number", "TIMESTAMP": "timestamp"}
    types = {
        name: next((kind for kind in logical if kind in text), "VARCHAR")
        for name, text in EXPRESSIONS.items()
    }

    def role(name: str, masks: dict[str, Any]) -> dict[str, Any]:
        sees = {"masks": masks, "rows": ROWS}
        said = [{"property": key, "vendor": "mesh", "value": value} for key, value in sees.items()]
        return {"role": name, "customProperties": said}

    return {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": "shop-items",
        "name": "items",
        "version": "1.0.0",
        "status": "active",
        "domain": "shop",
        "description": {"purpose": "Items, for the benchmark."},
        "team": {"name": "shop", "members": [{"username": owner, "role": "owner"}]},
        "servers": [{"server": "lake", "type": "custom"}],
        "slaProperties": [
            {"property": "latency", "value": 2, "unit": "d"},
            {"property": "retention", "value": 1, "unit": "y"},
        ],
        "roles": [role(name, masks) for name, masks in MASKS.items()],
        "schema": [
            {
                "name": "items",
                "logicalType": "object",
                "description": "One row an item.",
                "properties": [
                    {
                        "name": name,
                        "logicalType": logical.get(type_, "string"),
                        "physicalType": type_,
                        "description": f"The {name}.",
                        "classification": "internal",
                    }
                    for name, type_ in types.items()
                ],
            }
        ],
    }


def _agreement(consumer: str, role: str) -> str:
    from shared_resources.mesh.agreements.model import Agreement, Consumer, Status
    from shared_resources.mesh.agreements.oaas import agreement_text

    agreement = Agreement(
        id=consumer,
        product=KEY,
        consumer=Consumer(consumer),
        purpose="care",
        status=Status.APPROVED,
        roles=(role,),
        file=Path(f"{consumer}.oaas.yaml"),
        decided_by="shop@example.com",
        decided_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return agreement_text(agreement, "shop-items", "1.0.0")


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
