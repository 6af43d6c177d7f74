"""The page on products of topics, done as it stands there.

Belongs here: what the page tells a newcomer to type.
Does not belong here: links and names on pages (`test_pages.py`), what streams promise (`guarantees/`).
"""

import os
import re
import subprocess
import sys

import yaml

from shared_resources.streams.gate.process import GateProcess
from tests.architecture.tree import ROOT
from tests.guarantees.processes import definition
from tests.streams.receipts import send
from tests.tiny_mesh import column, contract_text

PAGE = (ROOT / "docs" / "how-to" / "streams.md").read_text(encoding="utf-8")
PRODUCT = "shop/receipts"


def example(name):
    found = re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found, f"the page has no example {name!r} any more"
    return found[1]


def test_the_contract_and_the_messages_of_the_page_make_a_product(mesh):
    [one, two] = yaml.safe_load(example("contract"))["customProperties"]
    mesh.product(
        PRODUCT,
        contract_text(
            PRODUCT,
            [column("receipt_id", primaryKey=True), column("paid", "DOUBLE")],
            properties={each["property"]: each["value"] for each in (one, two)},
        ),
    )
    environment = mesh.environment
    at = {"MESH_ROOT": str(environment.root), "MESH_HOME": str(environment.home)}
    subprocess.run(
        [sys.executable, "-c", example("send")], check=True, cwd=ROOT, env=os.environ | at
    )
    assert environment.log.topic("receipts").partitions == 4
    assert mesh.run(PRODUCT).success
    assert sorted(row["receipt_id"] for row in mesh.rows(PRODUCT)) == [1, 2]


def test_the_gate_of_the_page_passes_what_keeps_the_contract(mesh):
    [one, two] = yaml.safe_load(example("contract"))["customProperties"]
    gate = yaml.safe_load(example("gate"))
    columns = [column("receipt_id", primaryKey=True), column("paid", "DOUBLE")]
    properties = {one["property"]: {**one["value"], **gate}, two["property"]: two["value"]}
    mesh.product(PRODUCT, contract_text(PRODUCT, columns, properties=properties))
    log = mesh.environment.log
    log.create("receipts", 1)
    send(mesh, [{"receipt_id": 1, "paid": 9.5}, {"receipt_id": 2, "paid": "much"}])
    process = GateProcess(mesh.environment, definition(mesh.environment, PRODUCT), lambda: False)
    process.run(log.topic("receipts").ends)
    assert [log.topic(gate[name]["topic"]).ends for name in ("gate", "deadLetters")] == [
        {0: 1},
        {0: 1},
    ]
