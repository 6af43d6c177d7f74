"""Numbers that a function shows beside a version: all that can fail does so before there is one."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_resources.data_products.function import ProductProblem
from shared_resources.data_products.makers.shown_metadata import RESERVED, RESERVED_PREFIXES
from shared_resources.data_products.makers.shown_metadata import checked_metadata as checked
from tests.tiny_mesh import TinyMesh, column, contract_text, failures

GOOD = {
    "numpy float": (np.float32(0.5), 0.5),
    "numpy int": (np.int64(7), 7),
    "numpy bool": (np.bool_(True), True),
    "numpy text": (np.str_("x"), "x"),
    "array of nothing": (np.array(0.25), 0.25),
    "decimal": (Decimal("0.25"), 0.25),
    "day": (date(2026, 1, 2), "2026-01-02"),
    "nothing": (None, None),
    "nested": ({"a": [np.float64(1.0), (2, None)]}, {"a": [1.0, [2, None]]}),
}
BAD = {
    "nan": np.float32("nan"),
    "infinite": float("inf"),
    "decimal nan": Decimal("nan"),
    "nan inside": {"a": [float("nan")]},
    "an array": np.array([1.0, 2.0]),
    "a frame": pd.DataFrame({"a": [1]}),
    "an object": object(),
    "bytes": b"x",
    "a set": {1},
    "a dagster value": dg.MetadataValue.float(0.5),
    "keys that are no text": {1: 2},
    "too long": "x" * 70_000,
    "a huge number": 10**30,
    "nul": "a\0b",
    "half a character": "\ud800",
}
BAD["a circle"] = BAD
NAMES = ["version", "Version ", "dagster/row_count", "dagster/anything", "mesh/x", "inputs",
         "quarantine", "", " ", "x" * 300, "a\ud800", "a\0b", "a\nb", "\x1b[2J", "\u202eb",
         7, None]  # fmt: skip


@pytest.mark.parametrize("kind", GOOD)
def test_what_is_a_json_value_or_numpys_is_shown(kind: str) -> None:
    value, shown = GOOD[kind]
    found = checked("shop/lines", {"auc": value})
    assert found == {"auc": shown}
    assert type(found["auc"]) is type(shown)


@pytest.mark.parametrize("kind", BAD)
def test_what_is_none_is_refused_with_its_name(kind: str) -> None:
    with pytest.raises(ProductProblem, match=r"shop/lines: .*metadata"):
        checked("shop/lines", {"auc": BAD[kind]})


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_names_of_the_platform_and_no_names_are_refused(name: Any) -> None:
    with pytest.raises(ProductProblem, match="metadata has the name"):
        checked("shop/lines", {name: 1})


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.floats(width=32).map(np.float32),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=12), json_values, max_size=3))
def test_whatever_is_let_through_dagster_can_keep(metadata: dict[str, Any]) -> None:
    try:
        found = checked("shop/lines", metadata)
    except ProductProblem:
        return
    json.dumps(found, allow_nan=False).encode()
    event = dg.AssetMaterialization("lines", metadata=found)
    assert set(event.metadata) == set(metadata)


CODE = """
import numpy as np
import pandas as pd
from shared_resources import Produced, data_product

@data_product
def lines():
    return Produced(pd.DataFrame({"n": [1]}), metadata={METADATA})
"""


@pytest.mark.parametrize(
    "metadata", ["'auc': np.float32('nan')", "'version': 9", "'auc': object()"]
)
def test_a_run_with_metadata_that_cannot_be_shown_publishes_nothing(
    mesh: TinyMesh, metadata: str
) -> None:
    contract = contract_text("shop/lines", [column("n")])
    mesh.product("shop/lines", contract, CODE.replace("METADATA", metadata))
    result = mesh.run("shop/lines")
    assert not result.success
    assert "shop/lines: metadata" in failures(result)
    assert mesh.versions("shop/lines") == []


def test_what_the_platform_says_of_a_version_is_reserved(mesh: TinyMesh) -> None:
    contract = contract_text("shop/lines", [column("n")])
    mesh.product("shop/lines", contract, CODE.replace("METADATA", "'auc': np.float32(0.5)"))
    result = mesh.run("shop/lines")
    assert result.success, failures(result)
    (event,) = result.get_asset_materialization_events()
    shown = dict(event.materialization.metadata)
    assert shown.pop("auc").value == 0.5
    assert all(name in RESERVED or name.startswith(RESERVED_PREFIXES) for name in shown), shown
    assert shown["version"].value == 1


def test_what_fails_to_be_shown_fails_before_the_commit(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were a value let through that Dagster does not know, it would still be found in time."""
    given = "shared_resources.data_products.makers.making.checked_metadata"
    monkeypatch.setattr(given, lambda product, metadata: metadata)
    contract = contract_text("shop/lines", [column("n")])
    mesh.product("shop/lines", contract, CODE.replace("METADATA", "'auc': object()"))
    assert not mesh.run("shop/lines").success
    assert mesh.versions("shop/lines") == []
