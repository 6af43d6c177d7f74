"""Keys and references: rules that need other rows, or another product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from shared_resources.contracts.model import Partitioning, Unit
from shared_resources.environment import EnvironmentProblem
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine import differing, uniqueness
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.stores.protocol import Version
from tests.contract_factory import (
    at_most,
    audit_rows,
    failing,
    make_contract,
    make_rule,
    result_of,
    stage,
    table,
)


@dataclass(frozen=True)
class Published:
    """A snapshot of one Arrow table, as a store would open it."""

    table: pa.Table

    @property
    def version(self) -> Version:
        return Version("product/catalog", "lake", 1, "1", self.table.num_rows, datetime(2017, 1, 1))

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    def partitions(self) -> tuple[str, ...]:
        return ()

    def paths(self) -> tuple[Path, ...]:
        return ()

    def batches(
        self, columns: Sequence[str] | None = None, partitions: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        return self.table.select(columns or self.table.schema.names).to_reader()

    def register(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        connection.register(name, self.table)


def test_a_composite_key_counts_every_row_that_shares_it(tmp_path: Path) -> None:
    contract = make_contract(
        {"basket": "int", "line": "text"}, [make_rule("unique", "basket", "line")]
    )
    report = audit_rows(
        tmp_path,
        contract,
        basket=[1, 1, 1, 2, None, None],
        line=["a", "a", "b", "a", "a", "a"],
    )
    result = result_of(report, "unique_basket_line")
    assert result.rows_failed == 2, "keys with a null in them are not compared"
    assert [row["line"] for row in result.sample] == ["a", "a"]
    assert "share their basket, line with another row" in result.message


def test_within_a_partition_only(tmp_path: Path) -> None:
    contract = make_contract(
        {"id": "int", "at": "timestamp"},
        [make_rule("unique", "id"), make_rule("unique", "id", "at")],
        partitioning=Partitioning("at", date(2017, 1, 1)),
    )
    first = table(contract, id=[1, 2], at=[datetime(2017, 1, 1, h) for h in (1, 2)])
    second = table(contract, id=[1, 3, 3], at=[datetime(2017, 1, 2, h) for h in (1, 2, 3)])
    days = ["2017-01-01", "2017-01-02"]
    report = audit(StagedData(stage(tmp_path, first, second, partitions=days)), contract)
    assert failing(report, "unique_id") == 2
    assert failing(report, "unique_id_at") == 0, "the times differ"
    assert "in its partition" in result_of(report, "unique_id").message


def test_keys_that_contain_each_other_are_counted_each_exactly(tmp_path: Path) -> None:
    keys = [("a",), ("a", "b"), ("b", "c"), ("a", "b", "c"), ("c",)]
    types = {"a": "int", "b": "text", "c": "float"}
    contract = make_contract(types, [make_rule("unique", *key) for key in reversed(keys)])
    random = np.random.default_rng(1)
    nan = float("nan")
    values: dict[str, list[Any]] = {
        "a": [None if v == 40 else int(v) for v in random.integers(0, 41, 300)],
        "b": [None if v == 5 else "xyzäö"[v] for v in random.integers(0, 6, 300)],
        "c": [[None, nan, 0.0, -0.0, 1.5][v] for v in random.integers(0, 5, 300)],
    }
    report = audit_rows(tmp_path, contract, **values)
    rows = [dict(zip(types, row, strict=True)) for row in zip(*values.values(), strict=True)]
    for key in keys:
        present = [tuple(row[name] for name in key) for row in rows]
        present = [one for one in present if not any(v is None or v != v for v in one)]
        expected = sum(present.count(one) > 1 for one in present)
        assert failing(report, "_".join(("unique", *key))) == expected, key


def test_a_key_whose_part_is_unique_is_unique(tmp_path: Path) -> None:
    contract = make_contract(
        {"a": "int", "b": "text"}, [make_rule("unique", "a", "b"), make_rule("unique", "a")]
    )
    report = audit_rows(tmp_path, contract, a=[1, 2, None, None], b=["x", "x", "y", "y"])
    assert [result.rows_failed for result in report.results] == [0, 0]


def test_a_column_of_another_type_can_still_be_compared_with_itself(tmp_path: Path) -> None:
    contract = make_contract({"id": "int"}, [make_rule("unique", "id")])
    data = StagedData(stage(tmp_path, pa.table({"id": ["007", "7", "007"]})))
    assert failing(audit(data, contract), "unique_id") == 2


CATALOG = Published(pa.table({"product_id": [1, 2, None], "colour": ["red", "red", None]}))


def _orphans(arguments: dict[str, Any] | None = None, *columns: str, **fields: Any) -> Any:
    given = {"product": "product/catalog", "columns": ["product_id"], **(arguments or {})}
    return make_rule(
        "relationship",
        *(columns or ("product",)),
        name="relationship_product",
        arguments=given,
        **fields,
    )


def test_orphans_are_found_and_nulls_are_none(tmp_path: Path) -> None:
    contract = make_contract({"product": "int"}, [_orphans()])
    data = StagedData(stage(tmp_path, table(contract, product=[1, 2, 2, 3, 4, None])))
    result = result_of(
        audit(data, contract, references={"product/catalog": CATALOG}), "relationship_product"
    )
    assert (result.rows_failed, result.passed) == (2, False)
    assert {row["product"] for row in result.sample} == {3, 4}
    assert "have a product that product/catalog does not have" in result.message


def test_a_relationship_may_tolerate_a_share(tmp_path: Path) -> None:
    rule = _orphans(threshold=at_most(50, Unit.PERCENT))
    contract = make_contract({"product": "int"}, [rule])
    data = StagedData(stage(tmp_path, table(contract, product=[1, 9])))
    assert audit(data, contract, references={"product/catalog": CATALOG}).passed


def test_a_composite_reference_is_compared_as_a_whole(tmp_path: Path) -> None:
    rule = _orphans({"columns": ["product_id", "colour"]}, "product", "colour")
    contract = make_contract({"product": "int", "colour": "text"}, [rule])
    rows = table(contract, product=[1, 1, None, 7], colour=["red", "blue", "red", None])
    report = audit(
        StagedData(stage(tmp_path, rows)), contract, references={"product/catalog": CATALOG}
    )
    assert failing(report, "relationship_product") == 1, "an incomplete reference is no orphan"


def test_a_reference_that_is_not_published_is_a_failed_rule(tmp_path: Path) -> None:
    contract = make_contract({"product": "int"}, [_orphans()])
    result = result_of(audit_rows(tmp_path, contract, product=[1]), "relationship_product")
    assert not result.passed and result.rows_failed is None
    assert result.message == ("not checked: product/catalog has no published version to look into")


def test_a_reference_whose_column_is_gone_is_a_failed_rule(tmp_path: Path) -> None:
    contract = make_contract({"product": "int"}, [_orphans({"columns": ["sku"]})])
    data = StagedData(stage(tmp_path, table(contract, product=[1])))
    report = audit(data, contract, references={"product/catalog": CATALOG})
    message = result_of(report, "relationship_product").message
    assert message == "not checked: product/catalog has no column sku"


@pytest.mark.parametrize(
    ("type_", "values", "published"),
    [
        ("text", ["007", "7", " 7"], pa.array([7])),
        ("int", [7], pa.array([7.0])),
        ("int", [9007199254740993], pa.array([9007199254740992.0])),
        ("date", [date(2026, 1, 1)], pa.array([datetime(2026, 1, 1)])),
        ("timestamp", [datetime(2026, 1, 1)], pa.array([datetime(2026, 1, 1, tzinfo=UTC)])),
        ("bool", [True], pa.array([1])),
        ("decimal", [Decimal("0.10")], pa.array([0.1])),
        ("int", [7], pa.array([Decimal(7)], pa.decimal128(38, 30))),
    ],
)
def test_nothing_is_found_in_a_column_that_only_a_cast_makes_equal(
    tmp_path: Path, type_: str, values: list[Any], published: pa.Array
) -> None:
    contract = make_contract({"product": type_}, [_orphans()])
    data = StagedData(stage(tmp_path, table(contract, product=values)))
    catalog = Published(pa.table({"product_id": published}))
    result = result_of(
        audit(data, contract, references={"product/catalog": catalog}), "relationship_product"
    )
    assert not result.passed and "cannot be compared without converting one" in result.message
    assert f"product is {contract.column('product').type}, and product_id" in result.message


@pytest.mark.parametrize(
    ("type_", "values", "published"),
    [
        ("int", [7, 8], pa.array([7], pa.int32())),
        ("int", [7, 8], pa.array([Decimal("7.00"), Decimal("8.01")], pa.decimal128(20, 2))),
        ("decimal", [Decimal("0.10"), Decimal("0.12")], pa.array([Decimal("0.1")])),
        ("float", [0.5, 1.5], pa.array([0.5], pa.float32())),
    ],
)
def test_numbers_of_another_width_are_compared_digit_by_digit(
    tmp_path: Path, type_: str, values: list[Any], published: pa.Array
) -> None:
    contract = make_contract({"product": type_}, [_orphans()])
    data = StagedData(stage(tmp_path, table(contract, product=values)))
    catalog = Published(pa.table({"product_id": published}))
    report = audit(data, contract, references={"product/catalog": catalog})
    assert failing(report, "relationship_product") == 1


def test_a_published_version_can_be_audited_again() -> None:
    rules = [
        make_rule("columns"),
        make_rule("required", "v"),
        make_rule("unique", "v"),
        make_rule("sql", query="SELECT count(*) FROM batch WHERE v IS NULL"),
    ]
    contract = make_contract({"v": "float"}, rules)
    values = [float("nan"), 1.0, 1.0]
    report = audit(Published(pa.table({"v": values})), contract, references={})
    assert [result.rows_failed for result in report.results] == [None, 1, 2, None]
    assert report.results[3].measured == 1, "NaN is null for sql rules too"


def test_uniqueness_of_more_keys_than_fit_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_AUDIT_MEMORY", "64MB")
    rows = 4_000_000
    ids = np.random.default_rng(0).permutation(rows)
    ids[-1] = ids[0]
    contract = make_contract({"id": "int"}, [make_rule("unique", "id")])
    report = audit(StagedData(stage(tmp_path, pa.table({"id": ids}))), contract)
    result = result_of(report, "unique_id")
    assert result.rows_failed == 2 and [row["id"] for row in result.sample] == [ids[0]] * 2
    assert not list(tmp_path.glob(".audit-*")), "what was spilled is gone"


@pytest.mark.parametrize(
    ("few", "at_a_time"),
    [(0, 100), (0, 300), (0, 1_000), (1_000, 1)],
    ids=["grouped", "in passes", "at once", "as few"],
)
def test_a_key_is_unique_or_not_however_its_fingerprints_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int, at_a_time: int
) -> None:
    monkeypatch.setattr(uniqueness, "GROUPED_ROWS", few)
    monkeypatch.setattr(differing, "SORTED_ROWS", at_a_time)
    rules = [make_rule("unique", "id"), make_rule("unique", "store", "receipt")]
    contract = make_contract({"id": "int", "store": "text", "receipt": "int"}, rules)
    ids = list(range(1_000))
    unique = {"id": ids, "store": [f"s{n % 7}" for n in ids], "receipt": [n // 7 for n in ids]}
    assert audit_rows(tmp_path / "unique", contract, **unique).passed

    for name, repeated, sharing in (("twice", [*ids[:-1], 0], 2), ("one", [5] * 1_000, 1_000)):
        found = audit_rows(tmp_path / name, contract, **{**unique, "id": repeated})
        assert result_of(found, "unique_id").rows_failed == sharing
        assert result_of(found, "unique_store_receipt").rows_failed == 0
    some_null = [None if n % 2 else n for n in ids]
    found = audit_rows(tmp_path / "null", contract, **{**unique, "receipt": some_null})
    assert result_of(found, "unique_store_receipt").rows_failed == 0


@pytest.mark.parametrize(
    ("least", "apart", "type_"),
    [
        (0, 1, pa.int64()),
        (-500, 7, pa.int32()),
        (-(2**63), 1, pa.int64()),
        (2**63 - 1_000, 1, pa.int64()),
        (-(2**63), 2**54, pa.int64()),
        (0, 1, pa.uint64()),
        (2**63, 1, pa.uint64()),
    ],
)
@pytest.mark.parametrize("few", [0, 1_100], ids=["marked", "grouped"])
def test_a_key_of_one_integer_is_unique_or_not_wherever_it_lies(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    least: int,
    apart: int,
    type_: pa.DataType,
    few: int,
) -> None:
    monkeypatch.setattr(uniqueness, "GROUPED_ROWS", few)
    contract = make_contract({"id": "int"}, [make_rule("unique", "id")])
    ids: list[int | None] = [least + apart * place for place in range(1_000)]
    cases = {"once": (ids, 0), "twice": ([*ids, ids[0]], 2), "null": ([*ids, None, None], 0)}
    for name, (values, sharing) in cases.items():
        staged = stage(tmp_path / name, pa.table({"id": pa.array(values, type_)}))
        assert failing(audit(StagedData(staged), contract), "unique_id") == sharing, name
    nothing = stage(tmp_path / "nothing", pa.table({"id": pa.nulls(3, type_)}))
    assert failing(audit(StagedData(nothing), contract), "unique_id") == 0


def test_a_memory_limit_that_is_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_AUDIT_MEMORY", "plenty")
    with pytest.raises(EnvironmentProblem, match="MESH_AUDIT_MEMORY='plenty'"):
        audit_rows(tmp_path, make_contract({"v": "int"}), v=[1])
    assert [path.name for path in tmp_path.iterdir()] == ["part-00000.parquet"]
