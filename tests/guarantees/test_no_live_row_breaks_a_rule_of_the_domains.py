"""No reader sees a row that broke a blocking rule, one written as the domain's own query included, when a
class of the domain's returns such rows while they follow a stream."""

from __future__ import annotations

import itertools
import json
import threading

import pytest
import yaml

from tests.streams.live.made import TAKINGS, follow, send, shop
from tests.tiny_mesh import column, contract_text, custom

# The three of recommendation/next_products, over fewer columns.
QUERIES = {
    "no_product_twice": "len(list_distinct([product_1, product_2, product_3])) <> 3",
    "best_first": "NOT (score_1 >= score_2 AND score_2 >= score_3)",
    "evidence_adds_up": "greatest(bought, popular_bought) > products_bought",
}
COLUMNS = {
    "product_1": "BIGINT", "product_2": "BIGINT", "product_3": "BIGINT",
    "score_1": "DOUBLE", "score_2": "DOUBLE", "score_3": "DOUBLE",
    "bought": "BIGINT", "popular_bought": "BIGINT", "products_bought": "BIGINT",
}  # fmt: skip
WHOLE = (1, 2, 3, 0.9, 0.5, 0.5, 1, 2, 2)
# What the class returns for a receipt of so much.
RETURNED = {
    1.0: (4, 5, 6, 0.8, 0.7, 0.6, 2, 2, 2),
    2.0: (4, 5, 4, 0.8, 0.7, 0.6, 2, 2, 2),
    3.0: (4, 5, None, 0.8, 0.7, 0.6, 2, 2, 2),
    4.0: (4, 5, 6, 0.8, 0.7, 0.71, 2, 2, 2),
    5.0: (4, 5, 6, 0.8, 0.7, 0.6, 3, 2, 2),
    6.0: (4, 5, 6, 0.8, 0.7, 0.6, None, 3, 2),
    # A comparison with nothing is no broken rule, in SQL as here; NaN is nothing.
    7.0: (4, 5, 6, 0.8, float("nan"), 0.9, None, None, 2),
}
CODE = f"""
    import polars as pl

    from shared_resources import data_product, live

    NAMES = {list(COLUMNS)}
    RETURNED = {RETURNED!r}


    @data_product(tills="crm/tills")
    def takings(tills: pl.DataFrame) -> pl.DataFrame:
        return tills.select("till", *(pl.lit(v).alias(n) for n, v in zip(NAMES, {WHOLE})))


    @live(of="shop/receipts")
    class Following:
        def __init__(self, published: pl.DataFrame) -> None:
            self._schema = published.schema

        def update(self, rows: pl.DataFrame) -> pl.DataFrame:
            found = [(t, *RETURNED[float(p)]) for t, p in rows.select("till", "paid").iter_rows()]
            return pl.DataFrame(found, schema=self._schema, orient="row")
""".replace("nan", "float('nan')")


def contract() -> str:
    columns = [column("till", "VARCHAR", primaryKey=True, required=True)]
    columns += [column(name, type_) for name, type_ in COLUMNS.items()]
    said = yaml.safe_load(contract_text(TAKINGS, columns, servers=("lake", "serving")))
    said["servers"][1]["customProperties"] = custom(columns=list(COLUMNS))
    said["schema"][0]["quality"] = [
        {
            "name": name,
            "type": "sql",
            "query": f"SELECT count(*) FROM ${{object}} WHERE {condition}",
            "mustBe": 0,
        }
        for name, condition in QUERIES.items()
    ]
    return yaml.safe_dump(said, sort_keys=False)


class Reader(threading.Thread):
    """Asks for the rows all the time, and keeps each that it was shown."""

    def __init__(self, port) -> None:
        super().__init__(daemon=True)
        self.port, self.stop, self.seen = port, threading.Event(), set()

    def run(self) -> None:
        for till in itertools.cycle(("one", "two")):
            if self.stop.is_set():
                return
            found = self.port.get(TAKINGS, json.dumps([till]))
            if found is not None and found.row is not None:
                self.seen.add(found.row)


@pytest.mark.parametrize(
    ("paid", "broken"),
    [
        (2.0, "no_product_twice"),
        (3.0, "no_product_twice"),
        (4.0, "best_first"),
        (5.0, "evidence_adds_up"),
        (6.0, "evidence_adds_up"),
    ],
)
def test_a_row_that_breaks_the_domains_own_query_is_shown_to_nobody(mesh, paid, broken):
    shop(mesh, code=CODE, contract=contract())
    port = mesh.environment.serving_port
    before, of_two = (port.get(TAKINGS, json.dumps([till])).row for till in ("one", "two"))
    reader = Reader(port)
    reader.start()
    try:
        send(mesh, (1, "one", paid), (2, "two", 1.0), (3, "two", paid))
        told = follow(mesh)
    finally:
        reader.stop.set()
        reader.join()
    assert any(f"not written: 2 broke {broken}" in one for one in told), told
    assert not any(f"{name} is not asked" in one for one in told for name in QUERIES)
    assert port.get(TAKINGS, json.dumps(["one"])).row == before, "the one before it stays"
    whole = port.get(TAKINGS, json.dumps(["two"])).row
    assert json.loads(whole)[1:] == list(RETURNED[1.0])
    assert reader.seen <= {before, of_two, whole}


def test_a_row_of_which_the_query_says_nothing_is_written(mesh):
    shop(mesh, code=CODE, contract=contract())
    send(mesh, (1, "one", 7.0))
    follow(mesh)
    row = mesh.environment.serving_port.get(TAKINGS, json.dumps(["one"])).row
    assert json.loads(row)[1:4] == [4, 5, 6]
