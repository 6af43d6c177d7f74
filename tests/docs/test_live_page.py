"""The page on rows that follow a stream: what it shows is what is so."""

from __future__ import annotations

import json
import re

import pytest

from shared_resources.environment import PROJECT_ROOT
from tests.streams.live.made import TAKINGS, follow, send, shop
from tests.tiny_mesh import column, contract_text

PAGE = (PROJECT_ROOT / "docs" / "how-to" / "live.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_pages_class_lets_rows_follow(mesh):
    found = re.search(r"<!-- example: live -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    columns = [column("till", "VARCHAR", primaryKey=True, required=True), column("receipts")]
    shop(mesh, code=found[1], contract=contract_text(TAKINGS, columns, servers=("lake", "serving")))
    send(mesh, (1, "one", 1.0), (2, "one", 1.0), (2, "one", 1.0), (3, "new", 1.0))
    follow(mesh)
    port = mesh.environment.serving_port
    rows = {till: port.get(TAKINGS, json.dumps([till])).row for till in ("one", "two", "new")}
    assert rows == {"one": '["one",2]', "two": '["two",0]', "new": '["new",1]'}
