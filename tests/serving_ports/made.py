"""Generations and products for the tests of serving ports.

Belongs here: making them. Does not belong here: what is asserted.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from shared_resources.contracts.model import Contract
from shared_resources.contracts.odcs import read_contract
from shared_resources.serving_ports.port import Counted, Generation, Row, ServingPort
from shared_resources.serving_ports.rows import Digest
from tests.tiny_mesh import TinyMesh, column, contract_text, custom, failures

PRODUCT = "crm/people"
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def generation(version: int, product: str = PRODUCT) -> Generation:
    return Generation(
        uuid.uuid4().hex,
        product,
        "lake",
        version,
        f"batch-{version}",
        _BEGAN + timedelta(minutes=version),
        (("id", "BIGINT"), ("of", "BIGINT")),
        ("id",),
        ("id", "of"),
    )


def rows(version: int, count: int = 5) -> list[Row]:
    """Every row names its version, so that a mix is seen."""
    return [(f'["{n}"]', f"[{n},{version}]") for n in range(count)]


def written(port: ServingPort, version: int, count: int = 5, product: str = PRODUCT) -> Generation:
    made, digest = generation(version, product), Digest()
    port.begin(made)
    port.load(made, digest.through(rows(version, count)))
    port.written(made, Counted(digest.rows, digest.text))
    return made


def served_people(mesh: TinyMesh, more: str = "", **of_server: object) -> Contract:
    """A product of people, keyed by `id`, that is served by its key. `more` is YAML of its roles."""
    columns = [
        column(
            "id",
            primaryKey=True,
            primaryKeyPosition=1,
            required=True,
            customProperties=custom(subject="person"),
        ),
        column("name", "VARCHAR", classification="restricted"),
        column("born", "DATE", classification="restricted"),
    ]
    landing = {"prefix": PRODUCT, "format": "parquet", "mode": "replace", "object": "*.parquet"}
    text = contract_text(
        PRODUCT, columns, servers=("lake", "serving"), properties={"landing": landing}
    )
    if of_server:
        import yaml

        said = yaml.safe_load(text)
        said["servers"][1]["customProperties"] = custom(**of_server)
        text = yaml.safe_dump(said, sort_keys=False)
    folder = mesh.product(PRODUCT, text + more)
    return read_contract(folder / "contract.odcs.yaml")


def people(names: list[str | None]) -> pa.Table:
    schema = pa.schema([("id", pa.int64()), ("name", pa.string()), ("born", pa.date32())])
    rows_ = [{"id": n, "name": name, "born": None} for n, name in enumerate(names)]
    return pa.Table.from_pylist(rows_, schema)


def publish(mesh: TinyMesh, names: list[str | None]) -> None:
    mesh.land(f"{PRODUCT}/people.parquet", people(names))
    done = mesh.run(PRODUCT)
    assert done.success, failures(done)


def home_of(mesh: TinyMesh) -> Path:
    return mesh.environment.home


def contract_of_pairs(mesh: TinyMesh, key: str) -> None:
    """A product whose key has two parts, a day and a text."""
    columns = [
        column("day", "DATE", primaryKey=True, primaryKeyPosition=1, required=True),
        column("name", "VARCHAR", primaryKey=True, primaryKeyPosition=2, required=True),
        column("n", "DOUBLE"),
    ]
    landing = {"prefix": key, "format": "parquet", "mode": "replace", "object": "*.parquet"}
    servers = ("warehouse", "serving")
    mesh.product(key, contract_text(key, columns, servers=servers, properties={"landing": landing}))
