"""A mesh with a till's receipts as a stream, and what each till has taken, served and following them.

Belongs here: making and changing it. Does not belong here: what is asserted.
"""

from __future__ import annotations

import json
import uuid

import yaml

from shared_resources.data_products.definition import ProductDefinition, define_product
from shared_resources.mesh import read_whole_mesh
from shared_resources.streams.live.process import LiveProcess
from shared_resources.streams.process import StreamProcess
from tests.streams import receipts
from tests.tiny_mesh import TinyMesh, column, contract_text, custom, failures

STREAM = "shop/receipts"
TAKINGS = "crm/takings"
CODE = """
    import polars as pl

    from shared_resources import data_product, live


    @data_product(tills="crm/tills")
    def takings(tills: pl.DataFrame) -> pl.DataFrame:
        return tills.select("till", pl.lit(0).alias("receipts"), pl.lit(0.0).alias("paid"), "name")


    @live(of="shop/receipts")
    class Following:
        def __init__(self, published: pl.DataFrame, tills: pl.DataFrame) -> None:
            self._names = dict(tills.select("till", "name").iter_rows())
            self._came: dict[str, dict[int, float]] = {row["till"]: {} for row in published.to_dicts()}

        def update(self, rows: pl.DataFrame) -> pl.DataFrame:
            changed = {}
            for till, receipt, paid in rows.select("till", "receipt_id", "paid").iter_rows():
                came = self._came.setdefault(till, {})
                came[receipt] = float(paid)
                changed[till] = came
            found = [(t, len(c), sum(c.values()), self._names.get(t)) for t, c in changed.items()]
            schema = {"till": pl.String, "receipts": pl.Int64, "paid": pl.Float64, "name": pl.String}
            return pl.DataFrame(found, schema=schema, orient="row")
"""


def shop(
    mesh: TinyMesh, partitions: int = 2, code: str = CODE, contract: str | None = None
) -> TinyMesh:
    """With a topic, and a version of the takings in which nothing was taken."""
    mesh.environment.log.create("receipts", partitions)
    mesh.product(STREAM, receipts.contract())
    tills = [column("till", "VARCHAR", primaryKey=True, required=True), column("name", "VARCHAR")]
    landing = {"prefix": "crm/tills", "format": "jsonl", "mode": "replace", "object": "*.jsonl"}
    mesh.product("crm/tills", contract_text("crm/tills", tills, properties={"landing": landing}))
    mesh.product(TAKINGS, contract or takings_contract(), code)
    publish(mesh, ["one", "two"])
    return mesh


def takings_contract(days: int = 2) -> str:
    columns = [
        column("till", "VARCHAR", primaryKey=True, required=True),
        column("receipts", required=True),
        column("paid", "DOUBLE", required=True, logicalTypeOptions={"maximum": 1000}),
        column("name", "VARCHAR"),
    ]
    text = contract_text(TAKINGS, columns, servers=("lake", "serving"))
    said = yaml.safe_load(text)
    said["slaProperties"][0]["value"] = days
    said["servers"][1]["customProperties"] = custom(columns=["receipts", "paid", "name"])
    return yaml.safe_dump(said, sort_keys=False)


def publish(mesh: TinyMesh, names: list[str]) -> None:
    """A version of the takings with these tills."""
    lines = [json.dumps({"till": name, "name": f"Till {name}"}) for name in names]
    mesh.land(f"crm/tills/{uuid.uuid4().hex}.jsonl", "\n".join(lines) + "\n")
    for key in ("crm/tills", TAKINGS):
        done = mesh.run(key)
        assert done.success, failures(done)


def definition(mesh: TinyMesh, key: str = TAKINGS) -> ProductDefinition:
    read = read_whole_mesh(mesh.environment)
    return define_product(mesh.environment, read.domain(key.split("/")[0]), read.product(key))


def send(mesh: TinyMesh, *numbers: tuple[int, str, float]) -> None:
    """Receipts with their till as key: number, till, paid."""
    values = [receipts.receipt(n, till, paid) for n, till, paid in numbers]
    receipts.send(mesh, values, keys=[till.encode() for _, till, _ in numbers])


def follow(mesh: TinyMesh) -> list[str]:
    """Bring the rows level with the topic; what was told."""
    told: list[str] = []
    topic = mesh.environment.log.topic("receipts")
    assert topic is not None
    LiveProcess(mesh.environment, definition(mesh), lambda: False, told.append).run(topic.ends)
    return told


def publish_receipts(mesh: TinyMesh) -> None:
    topic = mesh.environment.log.topic("receipts")
    assert topic is not None
    made = definition(mesh, STREAM)
    StreamProcess(mesh.environment, made, "stream-test", lambda: False).run(topic.ends)


def served(mesh: TinyMesh, till: str) -> tuple[int, float] | None:
    port = mesh.environment.serving_port
    assert port is not None
    found = port.get(TAKINGS, json.dumps([till]))
    if found is None or found.row is None:
        return None
    _, number, paid, _ = json.loads(found.row)
    return number, paid
