"""A product's code reads its declared inputs, at the version of its run, and nothing else.

Whatever else it read would be in no lineage and no evidence. Each way to the platform's stores is
tried, in the function, in what it returns, in threads and processes that it starts.
"""

from __future__ import annotations

import threading

import pytest

from shared_resources import read
from shared_resources.confinement.guard import NotDeclared, domain_code
from shared_resources.confinement.guard import _start_thread as unfollowed
from tests.tiny_mesh import TinyMesh, column, contract_text, failures

CODE = """
import contextvars, os, subprocess, sys, threading, _thread
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pyarrow as pa

import shared_resources
from shared_resources import read
from shared_resources.stores import opening
from shared_resources.wiring import current, LocalEnvironment

OTHER = "customer/contacts"
HOME = Path(os.environ["MESH_HOME"])

def lake():
    from shared_resources.stores.lake.store import LakeStore
    return LakeStore(HOME / "lake").open(OTHER).batches().read_all()

def warehouse():
    from shared_resources.stores.embedded_warehouse.store import WarehouseStore
    return WarehouseStore(HOME / "warehouse").open(OTHER).batches().read_all()

def catalog():
    from shared_resources.stores.lake.catalog.sqlite import LakeCatalog
    return LakeCatalog(HOME / "lake")

def publishing():
    from shared_resources.data_products.publishing import rollback
    return rollback(None, None, 1, by="me")

def in_thread(start):
    found = []
    def work():
        try:
            found.append(read(OTHER, as_type=pa.Table))
        except Exception as problem:
            found.append(problem)
    start(work)
    while not found:
        pass
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]

def udf(frame):
    read(OTHER)
    return frame

def stream():
    yield pa.record_batch({"n": pa.array([1], pa.int64())})
    yield read(OTHER, as_type=pa.Table).select(["n"]).to_batches()[0]

def child():
    code = f"from shared_resources import read; read('{OTHER}')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)

WAYS = {
    "read": lambda: read(OTHER),
    "the module's read": lambda: shared_resources.read(OTHER),
    "environment": lambda: opening.open_product(current(), OTHER),
    "an environment of its own": lambda: LocalEnvironment(HOME.parent, HOME).stores,
    "lake": lake,
    "warehouse": warehouse,
    "catalog": catalog,
    "rollback": publishing,
    "thread": lambda: in_thread(lambda work: threading.Thread(target=work).start()),
    "pool": lambda: in_thread(lambda work: ThreadPoolExecutor(1).submit(work)),
    "plain thread": lambda: in_thread(lambda work: _thread.start_new_thread(work, ())),
    "an empty context": lambda: contextvars.Context().run(read, OTHER),
    "child process": child,
    "stream": lambda: pa.RecordBatchReader.from_batches(pa.schema({"n": pa.int64()}), stream()),
    "lazy frame": lambda: pl.LazyFrame({"n": [1]}).map_batches(udf),
}
IMPORTED = None if "WAY" != "import" else read(OTHER)
"""
# `mesh check` would find all of it in the product's own files.
PRODUCT = """
from pathlib import Path
import pyarrow as pa
from shared_resources import data_product

exec(Path(__file__).with_name("hidden.txt").read_text())

@data_product
def totals() -> pa.Table:
    return WAYS["WAY"]()
"""
WAYS = [line.split('"')[1] for line in CODE.splitlines() if line.startswith('    "')] + ["import"]


@pytest.fixture
def two(mesh: TinyMesh) -> TinyMesh:
    """A published product, and another's that does not declare it."""
    contacts = contract_text("customer/contacts", [column("n")])
    made = "import pyarrow as pa\nfrom shared_resources import data_product\n\n\n"
    made += "@data_product\ndef contacts():\n    return pa.table({'n': [7]})\n"
    mesh.product("customer/contacts", contacts, made)
    assert mesh.run("customer/contacts").success
    return mesh


@pytest.mark.parametrize("way", WAYS)
def test_what_is_not_declared_cannot_be_read(two: TinyMesh, way: str) -> None:
    contract = contract_text("travel/totals", [column("n")])
    folder = two.product("travel/totals", contract, PRODUCT.replace('"WAY"', repr(way)))
    (folder / "hidden.txt").write_text(CODE.replace('"WAY"', repr(way)))
    result = two.run("travel/totals")
    assert not result.success
    said = failures(result)
    assert "does not declare" in said or "while it runs" in said, said
    assert "@data_product(rows=" in said
    assert two.versions("travel/totals") == []
    assert len(read("customer/contacts")) == 1, "the platform's own threads may"


def declared(two: TinyMesh, body: str) -> str:
    code = """
from shared_resources import data_product, product_input

exec("from shared_resources import read")

@data_product(rows=product_input("customer/contacts", columns=["n"]))
def totals(rows):
    BODY
"""
    contract = contract_text("travel/totals", [column("n")])
    two.product("travel/totals", contract, code.replace("BODY", body))
    return failures(two.run("travel/totals"))


def test_what_is_declared_is_read_as_the_parameter_is(two: TinyMesh) -> None:
    said = declared(two, 'assert read("customer/contacts").equals(rows)\n    return rows')
    assert said == ""
    assert two.rows("travel/totals") == [{"n": 7}]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("version=9", "has pinned version 1"),
        ("columns=['secret']", "reads secret of customer/contacts, which it does not declare"),
    ],
)
def test_neither_another_version_nor_another_column(two: TinyMesh, asked: str, words: str) -> None:
    assert words in declared(two, f'return read("customer/contacts", {asked})')


def test_a_thread_of_a_native_library_belongs_to_the_code_that_runs(two: TinyMesh) -> None:
    """polars and DuckDB call Python from threads that Python did not start."""
    answers: list[object] = []

    def work() -> None:
        with pytest.raises(NotDeclared):
            read("customer/contacts")
        answers.append(True)

    done = threading.Event()
    with domain_code("travel/totals"):
        unfollowed(lambda: (work(), done.set()), ())
        assert done.wait(5)
    assert answers == [True]
