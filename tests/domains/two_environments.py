"""The example mesh in both environments, and what must be equal in them.

Belongs here: landing and running it locally and in production, and comparing published products
without reading either environment's code for the other. Does not belong here: tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from shared_resources.contracts.model import Server
from shared_resources.contracts.odcs import read_contract
from shared_resources.environment import PROJECT_ROOT, Environment
from shared_resources.sql import quote_identifier
from shared_resources.stores.protocol import NotPublished, Snapshot
from shared_resources.wiring import current
from tests.cli.commands import Called, start
from tests.stand_ins import StandIns
from tests.stand_ins.servers import MASKING_KEY, environment


@dataclass(frozen=True)
class Place:
    """One environment's variables. Other places' variables are not set while it is entered."""

    variables: Mapping[str, str]

    @contextmanager
    def entered(self) -> Iterator[Environment]:
        without_home = os.environ.pop("DAGSTER_HOME", None)
        try:
            with environment(self.variables):
                yield current()
        finally:
            if without_home is not None:
                os.environ["DAGSTER_HOME"] = without_home

    def land(self) -> None:
        command = [sys.executable, "-m", "domains.source_systems", "--live", "1000"]
        with self.entered():
            subprocess.run(command, check=True, cwd=PROJECT_ROOT)

    def mesh(self, *arguments: str, seconds: float = 300) -> Called:
        with self.entered():
            return start(*arguments, seconds=seconds)


def places(stand_ins: StandIns, folder: Path) -> tuple[Place, Place]:
    """An empty local environment and an empty one in production, with no state in common."""
    local = {
        "MESH_ENV": "local",
        "MESH_HOME": str(folder / "local" / "home"),
        "MESH_MASKING_KEY": MASKING_KEY,
    }
    production = {**stand_ins.fresh(), "MESH_HOME": str(folder / "production" / "home")}
    return Place(local), Place(production)


def products() -> dict[str, tuple[Server, ...]]:
    """Every product of the example, and where it is published."""
    files = sorted((PROJECT_ROOT / "domains").glob("*/products/*/contract.odcs.yaml"))
    contracts = [read_contract(file) for file in files]
    return {contract.key: contract.servers for contract in contracts}


def described(place: Place, key: str, server: Server) -> dict[str, Any] | None:
    """All that must be the same of a product's current version; None when it has none."""
    with place.entered() as here:
        try:
            snapshot = here.stores[server].open(key)
        except NotPublished:
            return None
        evidence = snapshot.version.evidence
        stream = evidence.stream
        return {
            "number": snapshot.version.number,
            "schema": [(field.name, str(field.type)) for field in snapshot.schema],
            "partitions": snapshot.partitions(),
            **_content(snapshot),
            # Who ran when, on which snapshots and files, differs from run to run in one place, too.
            "evidence": replace(
                evidence,
                run_id="",
                inputs={},
                input_attestations={},
                objects=(),
                quarantined=(),
                stream=replace(stream, topic_id="") if stream is not None else None,
            ),
            "read": sorted(evidence.inputs),
            "quarantined": len(evidence.quarantined),
            "landed": [name for name, _ in evidence.objects],
        }


def _content(snapshot: Snapshot) -> dict[str, Any]:
    """The number of rows, and checksums of every column and of whole rows, in whatever order."""
    names = [quote_identifier(name) for name in snapshot.schema.names]
    sums = ", ".join(f"sum(hash({name}))" for name in names)
    with duckdb.connect() as connection:
        snapshot.register(connection, "product")
        query = f"SELECT count(*), sum(hash({', '.join(names)})), {sums} FROM product"
        found = connection.execute(query).fetchone()
    assert found is not None
    assert found[0] == snapshot.version.rows
    columns = dict(zip(snapshot.schema.names, found[2:], strict=True))
    return {"rows": found[0], "whole rows": found[1], "columns": columns}
