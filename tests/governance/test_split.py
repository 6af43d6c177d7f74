"""Splitting a batch: no row is lost, none is changed, the rest passes."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_resources.contracts.model import Contract, Partitioning
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.audit.loss import Split, split
from shared_resources.stores.protocol import StagedBatch
from tests.contract_factory import make_column, make_contract, make_rule, stage, table
from tests.governance.test_audit_sets import CATALOG

NAN = float("nan")


def _split(batch: StagedBatch, contract: Contract, aside: Path) -> Split:
    references: Any = {"product/catalog": CATALOG}
    report = audit(StagedData(batch), contract, references=references)
    return split(
        StagedData(batch),
        contract,
        report,
        references=references,
        kept=aside / "kept",
        rejected=aside / "rejected.parquet",
    )


def _kept(result: Split) -> list[dict[str, Any]]:
    return [row for file in result.files for row in pq.read_table(file.path).to_pylist()]


def _reasons(result: Split, key: str) -> list[tuple[Any, list[str]]]:
    rows = pq.read_table(result.rejected).to_pylist()
    return [(row[key], row["_reasons"]) for row in rows]


def test_bad_rows_go_with_every_reason_and_good_ones_stay(tmp_path: Path) -> None:
    rules = [
        make_rule("columns"),
        make_rule("required", "name"),
        make_rule("range", "id", maximum=3),
        make_rule("enumeration", "name", values=["a", "b"]),
    ]
    contract = make_contract({"id": "int", "name": "text"}, rules)
    batch = stage(tmp_path, table(contract, id=[1, 2, 4, 5], name=["a", None, "b", "z"]))
    result = _split(batch, contract, tmp_path / "aside")
    assert _kept(result) == [{"id": 1, "name": "a"}]
    assert _reasons(result, "id") == [
        (2, ["required_name"]),
        (4, ["range_id"]),
        (5, ["range_id", "enumeration_name"]),
    ]
    assert result.rejected_rows == 3
    assert pq.read_schema(result.rejected).field("_reasons").type == pa.list_(pa.string())


def test_of_identical_rows_one_stays_and_contradicting_rows_all_go(tmp_path: Path) -> None:
    contract = make_contract(
        {"id": "int", "v": "float", "name": "text"}, [make_rule("unique", "id")]
    )
    rows = table(
        contract,
        id=[1, 1, 1, 2, 2, 3, 3, 4, None, None, 5, 5, 5],
        v=[NAN, NAN, NAN, 1, 2, NAN, None, 0, 0, 0, 1, 1, 2],
        name=["a", "a", "a", None, None, "c", "c", "d", "e", "e", "f", "f", "f"],
    )
    result = _split(stage(tmp_path, rows), contract, tmp_path / "aside")
    assert [row["id"] for row in _kept(result)] == [1, 4, None, None]
    assert Counter(key for key, _ in _reasons(result, "id")) == {1: 2, 2: 2, 3: 2, 5: 3}


def test_identical_rows_in_several_files_keep_one(tmp_path: Path) -> None:
    contract = make_contract({"id": "int"}, [make_rule("unique", "id")])
    one = table(contract, id=[1, 2])
    result = _split(stage(tmp_path, one, one, one), contract, tmp_path / "aside")
    assert sorted(row["id"] for row in _kept(result)) == [1, 2]
    assert result.rejected_rows == 4


def test_the_same_key_in_two_partitions_is_no_duplicate(tmp_path: Path) -> None:
    contract = make_contract(
        {"id": "int", "day": "date"},
        [make_rule("unique", "id"), make_rule("range", "id", maximum=5)],
        partitioning=Partitioning("day", date(2017, 1, 1)),
    )
    days = [date(2017, 1, 1), date(2017, 1, 2)]
    tables = [table(contract, id=[1, 1, 9], day=[day] * 3) for day in days]
    batch = stage(tmp_path, *tables, partitions=[day.isoformat() for day in days])
    result = _split(batch, contract, tmp_path / "aside")
    assert [(file.partition, file.rows) for file in result.files] == [
        ("2017-01-01", 1),
        ("2017-01-02", 1),
    ]
    assert all(f"partition={file.partition}" in str(file.path) for file in result.files)
    assert _reasons(result, "id") == [(1, ["unique_id"]), (9, ["range_id"])] * 2


def test_orphans_and_personal_data_go(tmp_path: Path) -> None:
    rules = [
        make_rule(
            "relationship",
            "product",
            arguments={"product": "product/catalog", "columns": ["product_id"]},
        ),
        make_rule(
            "personal_data",
            "note",
            predicate_patterns=[
                {"name": "mail", "pattern": "@"},
                {
                    "name": "card",
                    "pattern": "[0-9]{16}",
                    "validator": "luhn",
                    "min_valid_share": 0.9,
                },
            ],
        ),
    ]
    contract = make_contract({"product": "int", "note": "text"}, rules)
    notes = ["x", None, "a@b", "4111111111111111", "4111111111111112"]
    rows = table(contract, product=[1, 9, None, 2, 2], note=notes)
    result = _split(stage(tmp_path, rows), contract, tmp_path / "aside")
    assert _reasons(result, "product") == [
        (9, ["relationship_product"]),
        (None, ["personal_data_note"]),
    ]


def test_values_of_every_type_come_through_unchanged(tmp_path: Path) -> None:
    types = {
        "i": "int", "n": "int32", "f": "float", "g": "float32", "m": "decimal",
        "b": "bool", "d": "date", "t": "timestamp", "z": "timestamp_tz", "s": "text",
    }  # fmt: skip
    contract = make_contract(types, [make_rule("range", "i", minimum=0)])
    values: dict[str, list[Any]] = {
        "i": [2**63 - 1, -(2**63), 0, 1],
        "n": [2**31 - 1, 1, -(2**31), None],
        "f": [NAN, float("inf"), -0.0, None],
        "g": [NAN, 1.5, float("-inf"), None],
        "m": [Decimal("9999999999.99"), Decimal("0.01"), Decimal("-1.00"), None],
        "b": [True, False, True, None],
        "d": [date(1, 1, 1), date(9999, 12, 31), date(1970, 1, 1), None],
        "t": [datetime(2017, 1, 1, 0, 0, 0, 1), datetime(1, 1, 1), datetime(9999, 12, 31), None],
        "z": [datetime(2017, 3, 26, 1, 30, tzinfo=UTC)] * 3 + [None],
        "s": ["", "a\0b", "😀\n\"'", None],
    }
    whole = table(contract, **values)
    result = _split(stage(tmp_path, whole), contract, tmp_path / "aside")
    kept = pa.concat_tables([pq.read_table(file.path) for file in result.files])
    bad = pq.read_table(result.rejected)
    assert kept.schema.equals(whole.schema) and bad.schema.remove(10).equals(whole.schema)
    assert str(kept.to_pylist()) == str(whole.take([0, 2, 3]).to_pylist())
    assert str(bad.drop(["_reasons"]).to_pylist()) == str(whole.take([1]).to_pylist())


def test_rows_that_could_not_be_read_are_counted(tmp_path: Path) -> None:
    contract = make_contract({"id": "int"}, [make_rule("parse"), make_rule("range", "id")])
    batch = stage(tmp_path, table(contract, id=[1, 2]), rejected_rows=3)
    result = _split(batch, contract, tmp_path / "aside")
    assert result.rejected_rows == 3
    assert len(_kept(result)) == 2 and pq.read_table(result.rejected).num_rows == 0
    nothing = _split(stage(tmp_path / "none", rejected_rows=3), contract, tmp_path / "b")
    assert nothing.files == () and nothing.rejected_rows == 3 and nothing.rejected.exists()


def test_the_batch_itself_stays(tmp_path: Path) -> None:
    contract = make_contract({"id": "int"}, [make_rule("range", "id", minimum=5)])
    batch = stage(tmp_path / "staged", table(contract, id=[1, 9]))
    before = {path: path.read_bytes() for path in (tmp_path / "staged").rglob("*.parquet")}
    _split(batch, contract, tmp_path / "aside")
    assert {p: p.read_bytes() for p in (tmp_path / "staged").rglob("*") if p.is_file()} == before


def test_a_column_called_reasons_is_refused(tmp_path: Path) -> None:
    contract = make_contract([make_column("_reasons")], [make_rule("range", "_reasons", minimum=5)])
    with pytest.raises(ValueError, match="cannot be called _reasons"):
        _split(stage(tmp_path, table(contract, _reasons=[1])), contract, tmp_path / "aside")


ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 6)),
        st.one_of(st.none(), st.sampled_from([NAN, float("inf"), 0.0, 1.0, 5.0])),
        st.one_of(st.none(), st.sampled_from(["", "a", "b", "B"])),
    ),
    max_size=30,
)
GENERATED = make_contract(
    {"id": "int", "v": "float", "name": "text"},
    [
        make_rule("columns"),
        make_rule("unique", "id", "name"),
        make_rule("required", "v"),
        make_rule("range", "v", maximum=1),
        make_rule("pattern", "name", pattern="^[a-z]*$"),
    ],
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS)
def test_what_stays_and_what_goes_is_the_whole_and_what_stays_passes(
    tmp_path: Path, rows: list[tuple[Any, ...]]
) -> None:
    folder = tmp_path / str(random.random())
    ids, values, names = zip(*rows, strict=True) if rows else ((), (), ())
    batch = stage(folder / "staged", table(GENERATED, id=ids, v=values, name=names))
    result = _split(batch, GENERATED, folder / "aside")
    bad = pq.read_table(result.rejected).to_pylist()
    good = _kept(result)
    every = Counter(map(repr, rows))
    assert every == Counter(repr((r["id"], r["v"], r["name"])) for r in (*good, *bad))
    assert all(row["_reasons"] for row in bad) and len(bad) == result.rejected_rows
    again = StagedBatch("order/lines", "b", folder, result.files)
    assert audit(StagedData(again), GENERATED).passed
