"""`mesh run` in this process: what is to be made by `pending`, each product by Dagster.

Belongs here: that loop, and a small mesh of every kind of product that it is tried on.
Does not belong here: the processes of the real engine (`tests/cli/test_run.py`).
"""

from __future__ import annotations

from typing import Any

from shared_resources.mesh import read_mesh, read_product
from shared_resources.running.pending import NothingLanded, UpToDate, tasks_of
from shared_resources.running.schedule import Schedule
from shared_resources.stores.protocol import NotPublished
from tests.guarantees.orders import COLUMNS, DAY, KEY, LANDING
from tests.tiny_mesh import TinyMesh, contract_text

LINES = "till/lines"
SUMS = "sales/sums"
PER_DAY = "sales/per_day"
REPORT = "board/report"
EVERY_DAY = {"cadence": "daily", "column": "day", "start": "2024-01-01"}
_FUNCTION = """
    import polars as pl

    from shared_resources import data_product


    @data_product({inputs})
    def make({parameters}) -> pl.LazyFrame:
        return {body}
"""


def extract(mesh: TinyMesh, more: str = "") -> None:
    """The ingest of full extracts; `more` is said at the end of its contract."""
    text = contract_text(KEY, COLUMNS, properties={"landing": LANDING})
    mesh.product(KEY, f"{text}{more}")


def lines(mesh: TinyMesh, more: str = "") -> None:
    """An ingest of one object a day."""
    landing = {**LANDING, "prefix": LINES, "mode": "partition", "object": "{partition}.parquet"}
    properties = {"landing": landing, "partitions": EVERY_DAY}
    mesh.product(LINES, contract_text(LINES, (*COLUMNS, DAY), properties=properties) + more)


def sums(mesh: TinyMesh, factor: float = 1, more: str = "", **properties: Any) -> None:
    """A function that reads the full extract."""
    text = contract_text(SUMS, COLUMNS, properties=properties)
    body = f'orders.with_columns(pl.col("amount") * {float(factor)})'
    function(mesh, SUMS, text + more, body, orders=KEY)


def per_day(mesh: TinyMesh, factor: float = 1, more: str = "") -> None:
    """A function that makes a day of the same day's lines."""
    text = contract_text(PER_DAY, (*COLUMNS, DAY), properties={"partitions": EVERY_DAY})
    body = f'lines.with_columns(pl.col("amount") * {float(factor)})'
    function(mesh, PER_DAY, text + more, body, lines=LINES)


def report(mesh: TinyMesh, factor: float = 1, more: str = "") -> None:
    """A function that reads both functions' products whole."""
    body = (
        'pl.concat([sums.select("order_id", "amount"), '
        'per_day.select(pl.col("order_id") + 1000 * pl.col("day").dt.day().cast(pl.Int64), '
        f'"amount")]).with_columns(pl.col("amount") * {float(factor)})'
    )
    text = contract_text(REPORT, COLUMNS) + more
    function(mesh, REPORT, text, body, sums=SUMS, per_day=PER_DAY)


def function(mesh: TinyMesh, key: str, text: str, body: str, **inputs: str) -> None:
    """A product whose function returns `body`, of the parameters that `inputs` name."""
    named = ", ".join(f'{name}="{product}"' for name, product in inputs.items())
    parameters = ", ".join(f"{name}: pl.LazyFrame" for name in inputs)
    mesh.product(key, text, _FUNCTION.format(inputs=named, parameters=parameters, body=body))


def mesh_run(mesh: TinyMesh, *only: str, again: bool = False) -> dict[str, object]:
    """What became of each product: True, False, "held", why it is unchanged, the days it made."""
    reads = {product.key: product.reads for product in read_mesh(mesh.root).products}
    schedule = Schedule({key: found for key, found in reads.items() if not only or key in only})
    became: dict[str, object] = {}
    while ready := schedule.ready():
        key = ready[0]
        schedule.start(key)
        became[key] = _made(mesh, key, again)
        for held in schedule.finish(key, became[key] is not False):
            became[held] = "held"
    return became


def _made(mesh: TinyMesh, key: str, again: bool) -> object:
    try:
        tasks = tasks_of(mesh.environment, key, None, again)
    except UpToDate as reason:
        return str(reason)
    except NothingLanded:
        return False
    done = [mesh.run(key, partitions=task.partitions).success for task in tasks]
    days = [day for task in tasks for day in task.partitions]
    return all(done) and (days or True)


def unchanged(became: dict[str, object]) -> set[str]:
    return {key for key, what in became.items() if isinstance(what, str) and what != "held"}


def contents(mesh: TinyMesh) -> dict[str, list[tuple[Any, ...]]]:
    """What readers see of each product, in an order of its own."""
    found = {}
    for product in read_mesh(mesh.root).products:
        try:
            rows = mesh.rows(product.key)
        except NotPublished:
            continue
        found[product.key] = sorted(tuple(row.values()) for row in rows)
    return found


def rolled_back(mesh: TinyMesh, key: str, to: int) -> None:
    from shared_resources.data_products.publishing import rollback

    product = read_product(mesh.environment, key)
    assert product is not None and product.contract is not None
    rollback(mesh.environment, product.contract, to, by="a test", reason="to see")
