"""A nullable column can be added contract first or file first; days without it stay correctable."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.contracts.odcs import read_contract
from shared_resources.findings import InvalidFile
from tests.guarantees.orders import KEY
from tests.tiny_mesh import TinyMesh, column, contract_text, custom, failures

DAYS = ("2024-02-28", "2024-02-29", "2024-03-01")
NEW_FROM = "2024-03-01"
FORMATS = ["csv", "jsonl", "parquet"]


def declare(
    mesh: TinyMesh, format_: str, *, new: bool, extra: str = "refuse", **fields: object
) -> None:
    columns = [column("order_id", required=True), column("day", "DATE", required=True)]
    if new:
        columns.append(
            column("note", "VARCHAR", customProperties=custom(mayBeAbsent=NEW_FROM), **fields)
        )
    landing = {
        "prefix": KEY,
        "format": format_,
        "mode": "partition",
        "object": "{partition}." + format_,
        "extraColumns": extra,
    }
    daily = {"cadence": "daily", "column": "day", "start": "2024-01-01"}
    properties = {"landing": landing, "partitions": daily}
    mesh.product(KEY, contract_text(KEY, columns, properties=properties))


def land(
    mesh: TinyMesh,
    format_: str,
    day: str,
    number: int,
    note: str | None = None,
    name: str = "note",
) -> None:
    row = {"order_id": number, "day": day, **({} if note is None else {name: note})}
    match format_:
        case "csv":
            data: bytes = f"{','.join(row)}\n{','.join(map(str, row.values()))}\n".encode()
        case "jsonl":
            data = (json.dumps(row) + "\n").encode()
        case _:
            table = pa.Table.from_pylist([row])
            table = table.set_column(1, "day", table["day"].cast(pa.date32()))
            sink = pa.BufferOutputStream()
            pq.write_table(table, sink)
            data = sink.getvalue().to_pybytes()
    mesh.land(f"{KEY}/{day}.{format_}", data)


def notes(mesh: TinyMesh) -> dict[str, str | None]:
    return {str(row["day"]): row.get("note") for row in mesh.rows(KEY)}


@pytest.mark.parametrize("format_", FORMATS)
def test_contract_first(mesh: TinyMesh, format_: str) -> None:
    declare(mesh, format_, new=False)
    land(mesh, format_, DAYS[0], 1)
    assert mesh.run(KEY, partitions=DAYS[:1]).success
    declare(mesh, format_, new=True)
    land(mesh, format_, DAYS[1], 2)
    land(mesh, format_, DAYS[2], 3, "hot")
    for day in DAYS[1:]:
        assert mesh.run(KEY, partitions=[day]).success
    assert notes(mesh) == dict(zip(DAYS, (None, None, "hot"), strict=True))
    # The old day is corrected, as it was and with the column.
    land(mesh, format_, DAYS[0], 10)
    assert mesh.run(KEY, partitions=DAYS[:1]).success
    land(mesh, format_, DAYS[0], 11, "late")
    assert mesh.run(KEY, partitions=DAYS[:1]).success
    assert notes(mesh)[DAYS[0]] == "late"


@pytest.mark.parametrize("format_", FORMATS)
def test_file_first(mesh: TinyMesh, format_: str) -> None:
    declare(mesh, format_, new=False, extra="ignore")
    land(mesh, format_, DAYS[0], 1, "early")
    result = mesh.run(KEY, partitions=DAYS[:1])
    assert result.success, failures(result)
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["columns left out"].value == "note"
    declare(mesh, format_, new=True)
    assert mesh.run(KEY, partitions=DAYS[:1]).success
    assert notes(mesh) == {DAYS[0]: "early"}


@pytest.mark.parametrize("format_", FORMATS)
def test_a_misspelt_column_is_neither_absent_nor_left_out(mesh: TinyMesh, format_: str) -> None:
    declare(mesh, format_, new=True, extra="ignore")
    for name in ("Note", " note", "no_te"):
        land(mesh, format_, DAYS[0], 1, "hot", name)
        refused = mesh.run(KEY, partitions=DAYS[:1])
        assert not refused.success, name
        land(mesh, format_, DAYS[0], 1, "hot", "remark")
        assert mesh.run(KEY, partitions=DAYS[:1]).success


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_from_its_day_on_a_file_without_the_column_is_refused(mesh: TinyMesh, format_: str) -> None:
    declare(mesh, format_, new=True)
    land(mesh, format_, DAYS[2], 3)
    refused = mesh.run(KEY, partitions=DAYS[2:])
    assert not refused.success
    assert "lacks the column 'note'" in failures(refused) and "mayBeAbsent" in failures(refused)


@pytest.mark.parametrize("format_", FORMATS)
def test_a_column_that_nobody_said_to_leave_out_is_still_refused(
    mesh: TinyMesh, format_: str
) -> None:
    declare(mesh, format_, new=False)
    land(mesh, format_, DAYS[0], 1, "early")
    assert not mesh.run(KEY, partitions=DAYS[:1]).success


def test_a_required_column_cannot_be_absent_and_a_day_must_be_one(mesh: TinyMesh) -> None:
    file = mesh.root / "domains" / "order" / "products" / "orders" / "contract.odcs.yaml"
    declare(mesh, "csv", new=True, required=True)
    with pytest.raises(InvalidFile, match="lets files lack a column that is required"):
        read_contract(file)
    declare(mesh, "csv", new=True)
    file.write_text(file.read_text().replace(NEW_FROM, "soon"))
    with pytest.raises(InvalidFile, match="is 'soon', which is no day"):
        read_contract(file)
    declare(mesh, "csv", new=True, extra="maybe")
    with pytest.raises(InvalidFile, match="extraColumns"):
        read_contract(file)
