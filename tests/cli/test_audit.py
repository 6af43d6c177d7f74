"""`mesh audit`: a contract on a file, as a producer's own CI runs it."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.cli.commands.audit import unchanged
from shared_resources.landing.errors import UnreadableObject
from tests.cli.commands import Called, call, readable
from tests.landing.damage import overlooked_by_arrow
from tests.tiny_mesh import column, contract_text

COLUMNS = (
    column("order_id", required=True, primaryKey=True, primaryKeyPosition=1),
    column("amount", "DOUBLE", required=True, logicalTypeOptions={"exclusiveMinimum": 0}),
    column("email", "VARCHAR", classification="restricted"),
)
GOOD = [(1, 1.5, "a@example.com"), (2, 2.5, "b@example.com")]
BAD = [*GOOD, (2, -1.0, "c@example.com")]


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    file = tmp_path / "contract.odcs.yaml"
    landing = {"prefix": "order/orders", "format": "csv", "mode": "replace", "object": "*.csv"}
    file.write_text(contract_text("order/orders", COLUMNS, properties={"landing": landing}))
    return file


def written(folder: Path, name: str, rows: list[tuple[int, float, str]]) -> Path:
    file = folder / name
    if name.endswith(".parquet"):
        ids, amounts, emails = zip(*rows, strict=True)
        table = {"order_id": pa.array(ids, pa.int64()), "amount": amounts, "email": emails}
        pq.write_table(pa.table(table), file)
        return file
    if ".csv" in name:
        text = "order_id,amount,email\n" + "".join(f"{i},{a},{e}\n" for i, a, e in rows)
    else:
        line = '{{"order_id": {}, "amount": {}, "email": "{}"}}\n'
        text = "".join(line.format(*row) for row in rows)
    data = text.encode()
    file.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return file


NAMES = ["x.csv", "x.csv.gz", "x.jsonl", "x.ndjson", "x.jsonl.gz", "x.parquet"]


@pytest.mark.parametrize("name", NAMES)
def test_each_format_passes_and_fails_by_the_same_rules(
    contract: Path, tmp_path: Path, name: str
) -> None:
    good = call("audit", contract, "--data", written(tmp_path, name, GOOD))
    assert (good.code, good.err) == (0, "")
    assert "2 rows of order/orders: would be published" in good.out
    bad = call("audit", contract, "--data", written(tmp_path, name, BAD), "--json")
    assert (bad.code, bad.err) == (1, "")
    failed = {one["rule"]: one for one in bad.json["results"] if not one["passed"]}
    assert {rule: one["rows_failed"] for rule, one in failed.items()} == {
        "primary_key": 2,
        "range_amount": 1,
    }
    (sample,) = failed["range_amount"]["sample"]
    assert (sample["order_id"], sample["amount"], sample["email"]) == (2, -1.0, "***")
    assert "c@example.com" not in bad.out


def test_a_person_sees_the_failing_rows(contract: Path, tmp_path: Path) -> None:
    told = call("audit", contract, "--data", written(tmp_path, "x.csv", BAD))
    assert told.code == 1
    assert "range_amount: failing rows" in told.out
    assert "FAILED" in told.out and "would be refused" in told.out
    assert "c@example.com" not in told.out


def test_cells_that_cannot_be_read_fail_the_parse_rule(contract: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("order_id,amount,email\none,1.5,a@example.com\n2,2.5,\n")
    told = call("audit", contract, "--data", file, "--json")
    assert told.code == 1
    failed = [one["rule"] for one in told.json["results"] if not one["passed"]]
    assert "parse" in failed
    assert call("audit", contract, "--data", file).code == 1


def test_the_parse_rule_says_what_most_cells_have_in_common(contract: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    rows = ["1,x,a@b.de\n"] * 3 + ["one,2.5,a@b.de\n", "1,2.5,'secret'\n", "1\n"]
    file.write_text("order_id,amount,email\n" + "".join(rows))
    told = call("audit", contract, "--data", file, "--json")
    (parse,) = [one for one in told.json["results"] if one["rule"] == "parse"]
    assert (
        "amount: not a number; digits with '.' as the decimal point (3 times)" in parse["message"]
    )
    assert "order_id: not an integer" in parse["message"]
    assert "1 cells where the header has 3" in parse["message"]
    assert "secret" not in told.out


def test_a_name_is_shown_where_nothing_is_classified(tmp_path: Path) -> None:
    contract, file = tmp_path / "contract.odcs.yaml", tmp_path / "x.jsonl"
    contract.write_text(contract_text("order/lines", COLUMNS[:2]))
    file.write_text('{"order_id": 1, "x": 2, "x": 3}\n{"order_id": 1, "amount": 2}\n')
    told = call("audit", contract, "--data", file)
    assert "the field 'x' occurs twice" in told.out and "***" not in told.out


def test_rules_that_need_the_mesh_are_named_and_not_counted(tmp_path: Path) -> None:
    key = "order/lines"
    related = {"to": "order/products/orders/contract.odcs.yaml#/schema/orders/properties/order_id"}
    file = tmp_path / "contract.odcs.yaml"
    file.write_text(contract_text(key, (column("order_id", relationships=[related]),)))
    data = tmp_path / "x.csv"
    data.write_text("order_id\n1\n")
    told = call("audit", file, "--data", data, "--json")
    assert told.code == 0, told.err
    assert told.json["not_checked"] == [
        "relationship_order_id",
        "policy_volume_as_before",
    ]
    assert (
        "not checked here, it needs the mesh: relationship_order_id"
        in call("audit", file, "--data", data).out
    )


@pytest.mark.parametrize("name", ["x.CSV", "x.txt", "x.tsv", "x", "x.v1.2", "x.TXT.GZ", "x.dat.gz"])
def test_a_name_that_says_no_format_is_read_as_the_contract_lands(
    contract: Path, tmp_path: Path, name: str
) -> None:
    data = written(tmp_path, "x.csv", GOOD).read_bytes()
    file = tmp_path / name
    file.write_bytes(gzip.compress(data) if name.lower().endswith(".gz") else data)
    told = call("audit", contract, "--data", file)
    assert (told.code, told.err) == (0, ""), told
    assert "2 rows of order/orders: would be published" in told.out


def test_a_file_of_no_known_format_is_wrong_use(contract: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.xlsx"
    file.write_bytes(b"PK\x03\x04")
    told = call("audit", contract, "--data", file)
    assert told.code == 1 and "rows.xlsx: is a ZIP archive or a spreadsheet" in told.err
    contract.write_text(contract_text("order/orders", COLUMNS))
    call("audit", contract, "--data", file).refused(".csv", ".parquet", "rows.xlsx", "no landing")


def test_a_file_that_is_not_what_its_name_says_is_told(contract: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    file.write_bytes(b"order_id,amount\n1,2\n")
    told = call("audit", contract, "--data", file)
    assert told.code in (1, 2) and "rows.parquet" in told.err
    readable(told.err)


def test_a_contract_that_is_not_valid_is_told_with_every_line(
    contract: Path, tmp_path: Path
) -> None:
    contract.write_text(contract.read_text().replace("BIGINT", "BIGINTEGER") + "colour: blue\n")
    told = call("audit", contract, "--data", written(tmp_path, "x.csv", GOOD))
    told.refused(f"{contract}:", "colour", "BIGINTEGER")
    assert len(told.err.splitlines()) >= 2


def test_it_needs_neither_dagster_nor_a_mesh(contract: Path, tmp_path: Path) -> None:
    """A producer's CI has the contract, the file and this package."""
    code = (
        "import sys\nfrom shared_resources.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n"
        "    print(sorted({'dagster', 'pandera', 'pyiceberg'} & set(sys.modules)), file=sys.stderr)"
    )
    data = written(tmp_path, "x.csv", GOOD)
    done = subprocess.run(
        [sys.executable, "-c", code, "audit", str(contract), "--data", str(data)],
        cwd=tmp_path,
        env={**os.environ, "MESH_ROOT": str(tmp_path), "MESH_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    told = Called(done.returncode, done.stdout, done.stderr)
    assert (told.code, told.err.strip()) == (0, "[]"), told
    assert not (tmp_path / "home").exists()


def extract(rows: int) -> pa.Table:
    return pa.table(
        {
            "order_id": pa.array(range(rows), pa.int64()),
            "amount": pa.array([1.0] * rows, pa.float64()),
            "email": pa.array(["a@example.com"] * rows),
        }
    )


def test_a_page_that_only_duckdb_cannot_read_makes_the_file_unreadable(
    contract: Path, tmp_path: Path
) -> None:
    """Whether a rule looks at its column or not: a reader will."""
    file = tmp_path / "x.parquet"
    for damaged in ("order_id", "amount"):
        file.write_bytes(overlooked_by_arrow(extract(1000), damaged))
        told = call("audit", contract, "--data", file, "--json")
        assert (told.code, told.json["publishable"]) == (1, False)
        assert f"mesh: {file}: cannot be read (" in told.err
        assert "land it again; it is cut off or damaged" in told.err


def test_a_page_of_a_column_that_no_rule_names_is_read(tmp_path: Path) -> None:
    contract = tmp_path / "contract.odcs.yaml"
    contract.write_text(contract_text("order/orders", (*COLUMNS, column("note"))))
    file = tmp_path / "x.parquet"
    noted = extract(1000).append_column("note", pa.array(range(1000), pa.int64()))
    file.write_bytes(overlooked_by_arrow(noted, "note"))
    told = call("audit", contract, "--data", file)
    assert told.code == 1 and "cannot be read (" in told.err


def test_a_footer_that_lies_does_not_hide_what_breaks_a_rule(
    contract: Path, tmp_path: Path
) -> None:
    """From minima above 0 an engine concludes, without a look at the rows, that the range holds."""
    rows = extract(1000).set_column(1, "amount", pa.array([-7.25, *[1.0] * 999]))
    file = tmp_path / "x.parquet"
    pq.write_table(rows, file, compression="none", use_dictionary=False)
    content = file.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    least, lie = struct.pack("<d", -7.25), struct.pack("<d", 0.25)
    assert least in content[footer:]
    file.write_bytes(content[:footer] + content[footer:].replace(least, lie))
    assert pq.read_metadata(file).row_group(0).column(1).statistics.min == 0.25
    told = call("audit", contract, "--data", file, "--json")
    failed = {one["rule"]: one["rows_failed"] for one in told.json["results"] if not one["passed"]}
    assert (told.code, failed) == (1, {"range_amount": 1})


def test_a_file_is_audited_where_it_lies_and_stays_as_it_is(
    contract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link serves as well, and nothing of it is left in the folder for temporary files."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    file, link = written(tmp_path, "x.parquet", GOOD), tmp_path / "link.parquet"
    link.symlink_to(file.name)
    before = file.read_bytes()
    assert call("audit", contract, "--data", link).code == 0
    assert file.read_bytes() == before and list(scratch.iterdir()) == []


@pytest.mark.parametrize("change", ["appended", "replaced", "removed"])
def test_nothing_is_said_of_a_file_that_was_changed_meanwhile(tmp_path: Path, change: str) -> None:
    file = written(tmp_path, "x.csv", GOOD)

    def meanwhile() -> None:
        if change == "appended":
            file.write_bytes(file.read_bytes() + b"3,1.0,c@example.com\n")
        elif change == "replaced":
            written(tmp_path, "y.csv", BAD).replace(file)
        else:
            file.unlink()

    with pytest.raises(UnreadableObject, match="was changed while it was audited"), unchanged(file):
        meanwhile()
    written(tmp_path, "x.csv", GOOD)
    with pytest.raises(UnreadableObject, match="changed") as caught, unchanged(file):
        meanwhile()
        raise UnreadableObject(str(file), "is cut off", "land it again")
    assert isinstance(caught.value.__cause__, UnreadableObject)
    written(tmp_path, "x.csv", GOOD)
    with pytest.raises(UnreadableObject, match="is cut off"), unchanged(file):
        raise UnreadableObject(str(file), "is cut off", "land it again")
