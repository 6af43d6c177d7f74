"""Projects whose domains can be released: a tiny mesh with a lock, and its environment made already.

Belongs here: writing such a project. Does not belong here: what must hold of its releases (the tests).
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from shared_resources.mesh.promised import promise_digest
from shared_resources.registry.registry import Entry
from shared_resources.releasing.deploying import promise_files
from shared_resources.releasing.releases import Release, Releases
from tests.tiny_mesh import TinyMesh, column, contract_text

# It pins the platform, so that its environment is the same whatever is edited meanwhile.
LOCK = "dagster-data-mesh==0.1.0\npolars==2.1.0\n"
LANDING = {"prefix": "order/lines", "format": "parquet", "mode": "replace", "object": "*.parquet"}
COLUMNS = (
    column("line", required=True, primaryKey=True, primaryKeyPosition=1),
    column("amount"),
)
SUMS = """\
    import polars as pl

    from shared_resources import data_product, product_input


    @data_product(lines=product_input("order/lines", columns=["amount"]))
    def sums(lines: pl.LazyFrame) -> pl.LazyFrame:
        return lines.select(pl.col("amount").sum().alias("total"))
"""


def lines(*columns: dict[str, object], version: str = "1.0.0") -> str:
    return contract_text(
        "order/lines", columns or COLUMNS, properties={"landing": LANDING}, version=version
    )


def project(mesh: TinyMesh, lock: str = LOCK) -> None:
    """Two domains: sales sums up what order has."""
    mesh.product("order/lines", lines())
    mesh.product("sales/sums", contract_text("sales/sums", [column("total")]), SUMS)
    write_lock(mesh, lock)


def write_lock(mesh: TinyMesh, lock: str, domain: str = "") -> Path:
    """The lock, and as its environment the one that the tests run in."""
    place = mesh.root / "domains" / domain if domain else mesh.root
    file = place / "requirements.lock"
    file.write_text(lock)
    environments = Releases(mesh.environment.home).environments
    environments.folder.mkdir(parents=True, exist_ok=True)
    made = environments.folder / environments.digest(file)
    if not made.exists():
        made.symlink_to(sys.prefix)
    return file


def build(mesh: TinyMesh, domain: str = "order") -> Release:
    return Releases(mesh.environment.home).build(mesh.root, domain, "us", central=True)


def register(mesh: TinyMesh, *domains: str) -> None:
    """Register what the domains promise by releases of them, as a deployment does."""
    for release in (build(mesh, one) for one in domains):
        files = promise_files(release)
        entry = Entry(
            release.domain, promise_digest(files), release.digest, "1", "us", datetime.now(UTC)
        )
        registry = mesh.environment.registry
        registry.register(entry, files, registry.entries().get(release.domain))


def publish_lines(mesh: TinyMesh) -> None:
    mesh.land("order/lines/1.parquet", pa.table({"line": [1, 2], "amount": [3, 4]}))
    assert mesh.run("order/lines").success
