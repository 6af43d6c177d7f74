"""Three thousand columns: read, typed, audited and split, where a cost that grows with the square of
the columns ended in DuckDB's running out of memory."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.contracts.file_formats import all_formats
from shared_resources.contracts.model import Contract, Landing
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.counting import MOST_AT_ONCE
from shared_resources.governance.audit.engine.connection import UnreadableBatch
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.audit.loss import split
from shared_resources.landing.reader import stage_object
from shared_resources.stores.protocol import UNPARTITIONED, StagedBatch, StagedFile
from tests.contract_factory import failing, make_contract, make_rule
from tests.landing.damage import overlooked_by_arrow

WIDE, ROWS = 3_000, 20
NAMES = [f"c{i}" for i in range(WIDE)]


def wide_contract(format_: str) -> Contract:
    types = {name: "text" if i % 3 == 2 else "float" for i, name in enumerate(NAMES)}
    ranges = [make_rule("range", name, minimum=0) for name in NAMES if types[name] == "float"]
    required = [make_rule("required", name) for name in NAMES]
    rules = [make_rule("columns"), make_rule("unique", "c0"), *ranges, *required]
    landing = Landing("order/lines", all_formats()[format_], "*")
    return make_contract(types, [*rules, make_rule("parse")], landing=landing)


def content(format_: str) -> str:
    """Row 3 breaks a range, row 5 has a cell that is no number."""
    rows = [[str(row * 10 + i % 10) for i in range(WIDE)] for row in range(ROWS)]
    rows[3][1], rows[5][3] = "-1", "x"
    if format_ == "csv":
        return "".join(",".join(row) + "\n" for row in [NAMES, *rows])
    texts = set(NAMES[2::3])
    fields = [
        {n: v if n in texts or v == "x" else int(v) for n, v in zip(NAMES, row, strict=True)}
        for row in rows
    ]
    return "".join(json.dumps(row) + "\n" for row in fields)


def test_what_is_left_to_decode_is_decoded_beside_more_rules_than_one_query_asks(
    tmp_path: Path,
) -> None:
    names = NAMES[:MOST_AT_ONCE]
    columns = {name: pa.array(range(100), pa.int64()) for name in [*names, "unasked"]}
    contract = make_contract(
        dict.fromkeys(columns, "int"), [make_rule("range", name, minimum=0) for name in names]
    )
    path = tmp_path / "wide.parquet"
    path.write_bytes(overlooked_by_arrow(pa.table(columns), "unasked"))
    for half in (False, True):
        batch = StagedBatch(
            "order/lines", "one", tmp_path, (StagedFile(path, "", 100, half_decoded=half),)
        )
        if not half:  # no rule looks at the damaged column
            assert audit(StagedData(batch), contract).passed
            continue
        with pytest.raises(UnreadableBatch, match="cannot be read"):
            audit(StagedData(batch), contract)


@pytest.mark.slow
@pytest.mark.parametrize("format_", ["csv", "jsonl"])
def test_three_thousand_columns(tmp_path: Path, format_: str) -> None:
    contract = wide_contract(format_)
    file = tmp_path / "wide"
    file.write_text(content(format_))
    staged = stage_object(contract, file, "wide", tmp_path / "staged", UNPARTITIONED)
    assert sum(part.rows for part in staged.files) == ROWS - 1 and staged.rejected_rows == 1
    batch = StagedBatch("order/lines", "one", tmp_path / "staged", staged.files,
                        rejects=staged.rejects, rejected_rows=staged.rejected_rows)  # fmt: skip
    report = audit(StagedData(batch), contract)
    assert {result.rule.name for result in report.refusals} == {"range_c1", "parse"}
    assert failing(report, "range_c1") == failing(report, "parse") == 1
    parted = split(
        StagedData(batch),
        contract,
        report,
        kept=tmp_path / "kept",
        rejected=tmp_path / "bad.parquet",
    )
    kept = pq.read_table(parted.files[0].path)
    assert kept.column_names == NAMES and kept.num_rows == ROWS - 2 and parted.rejected_rows == 2
    assert kept.slice(0, 1).to_pylist() == [
        {name: str(i % 10) if i % 3 == 2 else float(i % 10) for i, name in enumerate(NAMES)}
    ]
