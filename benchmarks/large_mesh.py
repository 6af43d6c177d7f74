"""A mesh of many domains and products: what `mesh check`, a location and `mesh status` take.

    python -m benchmarks.large_mesh [--domains N] [--products N]

The mesh is written into a temporary folder: half of each domain's products land as CSV, a quarter
are functions of products of their own domain, a quarter of those of others; each has 12 columns. A
location's time is that of a code server's process, with that of importing Dagster alone beside it.
Nothing is published, and each domain's sensor finds nothing new. Seconds are of CPU, the median of
the rounds; contracts were compiled before, as they are on the second day.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import yaml

from benchmarks.results.figures import Figure, report
from benchmarks.results.processor import seconds_of_children

COLUMNS = 12
DAGSTER, LOCATION = "importing Dagster", "a location"
# Of 1,000 products in 50 domains, in seconds of CPU.
LIMITS = {"mesh check": 8.0, "mesh status": 2.0, "a location, beyond importing Dagster": 1.5}
DOMAIN = {
    "description": "One of many domains.",
    "archetype": "source-aligned",
    "waivers": [],
}
CODE = '''"""Makes {name} of {source}."""

import polars as pl

from shared_resources import data_product


@data_product(rows="{source}")
def {name}(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows
'''
# A domain's sensor as the daemon asks it, all of whose objects were ingested; without Dagster's own part.
TICKS = """
import time
import dagster as dg
from domains.d00.definitions import defs
from shared_resources import wiring

zone = wiring.current().landing_zone.root
for product in range({landing}):
    (zone / "d00" / f"p{{product:02}}").mkdir(parents=True, exist_ok=True)
(sensor,) = [one for one in defs.sensors or () if one.name == "d00_landing"]
cursor, took = None, []
with dg.DagsterInstance.ephemeral() as instance:
    for _ in range(32):
        began = time.process_time()
        cursor = sensor(dg.build_sensor_context(instance=instance, cursor=cursor)).cursor
        took.append(time.process_time() - began)
print(sum(took[2:]) / len(took[2:]), sensor.minimum_interval_seconds)
"""
DEFINITIONS = '''"""The code location of the domain."""

from shared_resources import build_domain

defs = build_domain(__file__)
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", type=int, default=50)
    parser.add_argument("--products", type=int, default=20, help="of each domain")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        root = Path(folder)
        write_mesh(root, options.domains, options.products)
        (root / ".mesh").mkdir()
        print(f"{options.domains} domains, {options.domains * options.products:,} products")
        mesh = str(Path(sys.executable).with_name("mesh"))
        load = (
            "import dagster; from domains.d00.definitions import defs; defs.resolve_asset_graph()"
        )
        commands = {
            "mesh check": [mesh, "check"],
            "mesh check --static": [mesh, "check", "--static"],
            "mesh status, the first": [mesh, "status", "--json"],
            "mesh status": [mesh, "status", "--json"],
            DAGSTER: [sys.executable, "-c", "import dagster"],
            LOCATION: [sys.executable, "-c", load],
        }
        took = {}
        for name, command in commands.items():
            rounds = 1 if name.endswith("the first") else options.repeat
            took[name] = statistics.median(
                seconds_of_children(partial(_run, command, root)) for _ in range(rounds)
            )
        took["a location, beyond importing Dagster"] = took.pop(LOCATION) - took.pop(DAGSTER)
        ticks = [sys.executable, "-c", TICKS.format(landing=max(1, options.products // 2))]
        said = _run(ticks, root).stdout.split()
        share = float(said[0]) * options.domains / float(said[1])
        report(
            [
                *(
                    Figure(f"{name}, 1,000 products", seconds, limit=LIMITS.get(name))
                    for name, seconds in took.items()
                ),
                Figure("all quiet sensors, of a core", 100 * share, "%", limit=5.0),
            ]
        )


def write_mesh(root: Path, domains: int, products: int) -> None:
    """A mesh below `root`, every product sound."""
    names = [f"d{number:02}" for number in range(domains)]
    landing = max(1, products // 2)
    for number, domain in enumerate(names):
        folder = root / "domains" / domain
        owner = f"{domain}@example.com"
        described = {"name": domain, **DOMAIN, "owner": owner, "owners": [owner]}
        _write(folder / "domain.yaml", yaml.safe_dump({**described, "contact": f"#{domain}"}))
        _write(folder / "definitions.py", DEFINITIONS)
        for at in range(products):
            name, product = f"p{at:02}", folder / "products" / f"p{at:02}"
            lands = at < landing
            _write(product / "contract.odcs.yaml", _contract(domain, name, lands))
            if not lands:
                of = domain if at % 2 else names[(number + 1) % domains]
                code = CODE.format(name=name, source=f"{of}/p{at % landing:02}")
                _write(product / "product.py", code)
    locations = [
        {"python_module": {"module_name": f"domains.{domain}.definitions", "location_name": domain}}
        for domain in names
    ]
    _write(root / "workspace.yaml", yaml.safe_dump({"load_from": locations}))


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _contract(domain: str, name: str, lands: bool) -> str:
    columns = [
        {
            "name": f"c{number:02}",
            "logicalType": "integer" if number % 2 else "string",
            "physicalType": "BIGINT" if number % 2 else "VARCHAR",
            "description": f"The column {number} of {name}.",
            "classification": "internal",
            "required": number < 4,
            **({"logicalTypeOptions": {"minimum": 0}} if number % 2 else {}),
        }
        for number in range(COLUMNS)
    ]
    place = {"prefix": f"{domain}/{name}", "format": "csv", "object": f"{name}.csv"}
    contract = {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": f"{domain}-{name}",
        "name": name,
        "version": "1.0.0",
        "status": "active",
        "domain": domain,
        "description": {"purpose": f"Shows {name}."},
        "team": {
            "name": domain,
            "members": [{"username": f"{domain}@example.com", "role": "owner"}],
        },
        "servers": [
            {
                "server": "lake",
                "type": "iceberg",
                "catalog": "mesh",
                "catalogUrl": "mesh://lake",
                "namespace": domain,
            }
        ],
        "slaProperties": [
            {"property": "latency", "value": 2, "unit": "d"},
            {"property": "retention", "value": 1, "unit": "y"},
        ],
        "schema": [
            {
                "name": name,
                "logicalType": "object",
                "description": f"Rows of {name}.",
                "properties": columns,
            }
        ],
        **(
            {"customProperties": [{"property": "landing", "vendor": "mesh", "value": place}]}
            if lands
            else {}
        ),
    }
    return yaml.safe_dump(contract, sort_keys=False)


def _run(command: list[str], root: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MESH_HOME": str(root / ".mesh"), "PYTHONPATH": str(root)}
    environment["MESH_ROOT"] = str(root)
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(command)}: {done.stderr[-2_000:]}")
    return done


if __name__ == "__main__":
    main()
