"""What is found out of files: each thing by itself, and what is said where nothing can be."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.contracts.model import Classification
from shared_resources.inference.first_look import column_name
from shared_resources.inference.infer import infer_files
from shared_resources.inference.inferred import Inferred, InferredColumn, NotInferable
from shared_resources.landing.errors import UnreadableObject
from shared_resources.personal_data.validating import is_valid
from tests.cli.commands import call
from tests.tiny_mesh import TinyMesh, column, contract_text


def csv_of(folder: Path, *cells: str, name: str = "rows.csv") -> Inferred:
    """Of a file with one column besides a number."""
    lines = [f"{number};{cell}" for number, cell in enumerate(cells)]
    file = folder / name
    file.write_text("\n".join(["n;cell", *lines, ""]), encoding="utf-8")
    return infer_files(file)


def cell(found: Inferred) -> InferredColumn:
    return found.columns[-1]


@pytest.mark.parametrize(
    ("cells", "type_", "format_"),
    [
        (("1", "-20", "300"), "BIGINT", None),
        (("007", "010"), "VARCHAR", None),
        (("1.5", "2", "1e9"), "DOUBLE", None),
        (("true", "False"), "BOOLEAN", None),
        (("2024-01-31", "2023-12-01"), "DATE", None),
        (("31.01.2024", "01.12.2023"), "DATE", "dd.MM.yyyy"),
        (("01/31/2024", "12/01/2023"), "DATE", "MM/dd/yyyy"),
        (("31/1/2024", "1/12/2023"), "DATE", "d/M/yyyy"),
        (("2024-01-31 10:00:00", "2024-02-01T10:00:00.5"), "TIMESTAMP", None),
        (("31/01/2024 10:15", "01/02/2024 00:00"), "TIMESTAMP", "dd/MM/yyyy HH:mm"),
        (("2024-01-31T10:00:00Z", "2024-01-31T10:00:00+02:00"), "TIMESTAMP WITH TIME ZONE", None),
        (("9999999999999999999", "1"), "VARCHAR", None),
        (("2024-02-30", "2024-01-01"), "VARCHAR", None),
        (("20240131", "20240201"), "BIGINT", None),
    ],
)
def test_a_column_has_the_type_of_which_all_its_texts_are(
    tmp_path: Path, cells: tuple[str, ...], type_: str, format_: str | None
) -> None:
    found = cell(csv_of(tmp_path, *cells))
    assert str(found.type) == type_
    assert found.options.get("format") == format_


def test_day_and_month_that_could_be_either_are_to_be_confirmed(tmp_path: Path) -> None:
    found = cell(csv_of(tmp_path, "01/02/2024", "03/04/2024"))
    assert found.options["format"] == "dd/MM/yyyy"
    assert "MM/dd/yyyy as well" in found.to_confirm[0]
    assert cell(csv_of(tmp_path, "13/02/2024", "03/04/2024")).to_confirm == ()


@pytest.mark.parametrize("null", ["NA", "NULL", "\\N", "-"])
def test_the_text_for_no_value_is_found_and_to_be_confirmed(tmp_path: Path, null: str) -> None:
    found = csv_of(tmp_path, "1", null, "3")
    assert found.landing is not None and found.landing["nullText"] == null
    assert str(cell(found).type) == "BIGINT" and not cell(found).required
    assert any(repr(null) in said for said in found.to_confirm)


def test_a_text_that_only_looks_like_none_stays_one(tmp_path: Path) -> None:
    found = csv_of(tmp_path, "DE", "NA", "US")  # Namibia
    assert found.landing is not None and "nullText" not in found.landing
    assert cell(found).required


@pytest.mark.parametrize(
    ("encoding", "named"),
    [("utf-8", None), ("utf-8-sig", None), ("utf-16", "utf-16"), ("cp1252", "cp1252")],
)
def test_the_encoding_is_found(tmp_path: Path, encoding: str, named: str | None) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes("ort,n\nMünchen,1\nKöln,2\n".encode(encoding))
    found = infer_files(file)
    assert found.landing is not None and found.landing.get("encoding") == named
    assert [column.name for column in found.columns] == ["ort", "n"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_among_others(tmp_path: Path, delimiter: str) -> None:
    lines = ["a", "b", "c"], ["1", "x y", "2.5"], ["2", "it's", "3"]
    file = tmp_path / "rows.csv.gz"
    text = "".join(delimiter.join(line) + "\n" for line in lines)
    file.write_bytes(gzip.compress(text.encode(), mtime=0))
    found = infer_files(file)
    assert found.landing is not None
    assert found.landing.get("delimiter", ",") == delimiter
    assert found.landing["object"] == "*.csv.gz"
    assert [str(column.type) for column in found.columns] == ["BIGINT", "VARCHAR", "DOUBLE"]


def test_names_become_those_of_columns_and_the_files_keep_theirs(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("Order ID,orderID,Straße (km),2nd,%\n1,2,x,y,5\n", encoding="utf-8")
    found = infer_files(file)
    assert [(c.landed_as, c.name) for c in found.columns] == [
        ("Order ID", "order_id"),
        ("orderID", "order_id_2"),
        ("Straße (km)", "strasse_km"),
        ("2nd", "column_2nd"),
        ("%", "percent"),
    ]


@pytest.mark.parametrize(
    ("landed", "name"),
    [("HTTPStatus", "http_status"), ("日本", "column"), ("__x__", "x"), ("A" * 300, "a" * 200)],
)
def test_a_name_can_always_be_had(landed: str, name: str) -> None:
    assert column_name(landed) == name


def test_json_lines_keep_jsons_types_and_leave_out_what_no_column_holds(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(
        '{"id": 1, "zip": "02138", "ok": true, "tags": ["a"], "at": "2024-01-31T10:00:00Z", "x": 1}\n'
        '{"id": 2, "zip": "10115", "ok": null, "at": "2024-02-01T10:00:00Z", "x": 1.5}\n'
    )
    found = infer_files(file)
    assert {c.name: str(c.type) for c in found.columns} == {
        "id": "BIGINT",
        "zip": "VARCHAR",
        "ok": "BOOLEAN",
        "at": "TIMESTAMP WITH TIME ZONE",
        "x": "DOUBLE",
    }
    assert found.landing is not None and found.landing["extraColumns"] == "ignore"
    assert any("'tags' holds arrays" in said for said in found.to_confirm)


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    columns = {
        "Id": pa.array([1, 2], pa.int32()),
        "amount": pa.array(["1.50", "2.25"]).cast(pa.decimal128(9, 2)),
        "code": pa.array(["a", "b"]).dictionary_encode(),
        "nested": pa.array([[1], [2]]),
    }
    pq.write_table(pa.table(columns), file)
    found = infer_files(file)
    assert {c.name: str(c.type) for c in found.columns} == {
        "id": "BIGINT",
        "amount": "DECIMAL(9,2)",
        "code": "VARCHAR",
    }
    assert any("'nested' holds list" in said for said in found.to_confirm)


def test_files_called_after_days_are_partitions_where_their_rows_agree(tmp_path: Path) -> None:
    for day in ("2024-01-01", "2024-01-02"):
        text = f"id,sold_on,made_on\n1,{day},2023-01-01\n2,{day},2024-01-01\n"
        (tmp_path / f"sales_{day}.csv").write_text(text)
    found = infer_files(tmp_path)
    assert found.landing is not None
    assert (found.landing["mode"], found.landing["object"]) == (
        "partition",
        "sales_{partition}.csv",
    )
    assert found.partitions == {"cadence": "daily", "column": "sold_on", "start": "2024-01-01"}
    assert found.key == ("id", "sold_on")
    (tmp_path / "sales_2024-01-03.csv").write_text("id,sold_on,made_on\n1,2024-01-04,2023-01-01\n")
    other = infer_files(tmp_path)
    assert other.partitions is None and any("full extract" in said for said in other.to_confirm)


def test_values_in_common_become_rules_and_chance_does_not(tmp_path: Path) -> None:
    lines = [
        f"A-{n:04d},{'open' if n % 3 else 'closed'},{n % 7},{n - 100},u{n}@example.com"
        for n in range(300)
    ]
    file = tmp_path / "rows.csv"
    file.write_text("\n".join(["code,status,items,change,mail", *lines, ""]))
    code, status, items, change, mail = infer_files(file).columns
    assert code.options == {"pattern": "^[A-Z]-[0-9]{4}$"}
    assert status.enumeration == ("closed", "open")
    assert items.options == {"minimum": 0}
    assert change.options == {}
    assert mail.options == {"format": "email"}
    assert mail.classification is Classification.CONFIDENTIAL


def test_personal_data_is_told_by_its_values_and_quoted_nowhere(tmp_path: Path) -> None:
    lines = [f"{n},call +1 415 555 26{n:02d},1990-01-{n % 28 + 1:02d}" for n in range(60)]
    file = tmp_path / "rows.csv"
    file.write_text("\n".join(["n,remark,date_of_birth", *lines, ""]))
    found = infer_files(file)
    _, remark, born = found.columns
    assert remark.classification is born.classification is Classification.CONFIDENTIAL
    assert "phone number in 100%" in remark.to_confirm[0]
    said = " ".join((*found.evidence, *found.to_confirm, *remark.evidence, *born.evidence))
    assert "415" not in said and "1990" not in said


def test_a_card_number_is_quoted_nowhere_however_rare_and_of_whatever_type(tmp_path: Path) -> None:
    cards = ["4111 1111 1111 1111" if n in (3, 7) else "x" for n in range(100)]
    file = tmp_path / "rows.csv"
    lines = [f"{n},{card},{4111111111111111 + n}" for n, card in enumerate(cards)]
    file.write_text("\n".join(["id,note,digits", *lines, ""]))
    _, note, digits = infer_files(file).columns
    assert note.classification is digits.classification is Classification.CONFIDENTIAL
    assert note.enumeration == ()
    said = " ".join((*note.evidence, *note.to_confirm, *digits.evidence, *digits.to_confirm))
    assert "4111" not in said


@pytest.mark.parametrize("header", ['"id","name"', '"id",name', 'id,"name"'])
def test_a_quoted_header_is_one(tmp_path: Path, header: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(f'{header}\n"1","x"\n"2","y"\n')
    assert [column.name for column in infer_files(file).columns] == ["id", "name"]


@pytest.mark.parametrize("header", ["a b,a_b,A B", "A,a,a_2", "Name,name,x"])
def test_names_that_become_one_stay_apart(tmp_path: Path, header: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(f"{header}\n1,2,3\n4,5,6\n")
    columns = infer_files(file).columns
    names, landed = [c.name for c in columns], [c.landed_as for c in columns]
    assert len({*names}) == 3 and landed == header.split(",")
    assert all(c.name == c.landed_as or c.name not in landed for c in columns)


def test_nan_is_no_value(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"pct": [float("nan"), 1.0, 2.0], "u": [1, 2, 3]}), file)
    pct, _ = infer_files(file).columns
    assert not pct.required and "from 1.0 to 2.0" in pct.evidence


def test_a_row_without_a_day_is_of_no_days_file(tmp_path: Path) -> None:
    for day in ("2024-01-01", "2024-01-02"):
        (tmp_path / f"s-{day}.csv").write_text(f"day,x\n{day},1\n,2\n")
    assert infer_files(tmp_path).partitions is None


def test_a_column_called_like_a_null_is_a_column(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id,NA\n1,NA\nNA,2\n3,5\n")
    found = infer_files(file)
    assert found.landing is not None and found.landing["nullText"] == "NA"
    assert [column.landed_as for column in found.columns] == ["id", "NA"]


def test_what_was_classified_stays_so_and_is_quoted_nowhere(mesh: TinyMesh) -> None:
    columns = [
        column("n", required=True),
        column("segment", "VARCHAR", classification="restricted"),
        column("score", classification="confidential"),
    ]
    landing = {"prefix": "order/src", "format": "csv", "object": "*.csv"}
    text = contract_text("order/src", columns, properties={"landing": landing})
    mesh.product("order/src", text)
    lines = [f"{n},{'HIVPOS' if n % 2 else 'HIVNEG'},{n + 1000}" for n in range(200)]
    mesh.land("order/src/1.csv", "\n".join(["n,segment,score", *lines, ""]))
    assert mesh.run("order/src").success
    assert call("new", "product", "order/der", "--from", "order/src").code == 0
    made = (mesh.root / "domains/order/products/der/contract.odcs.yaml").read_text()
    assert "HIV" not in made and "1199" not in made
    assert "restricted" in made and "confidential" in made


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("nested.jsonl", b'{"a": {"x": 1}}\n{"a": [1]}\n', "no column holds single values"),
        ("nameless.jsonl", b'{"": 1}\n', "is no name"),
        ("none.csv", None, "no such file or folder"),
        ("rows.xlsx", b"PK", "told by their endings"),
        ("rows.csv", b"1,2\n3,4\n", "has no header"),
        ("rows.csv", b"a,a\n3,4\n", "'a' twice"),
        ("rows.csv", b"a,b\n", "holds no rows"),
        ("rows.csv", b'a,b\n1,"x\n', "damaged"),
        ("rows.csv", b"one and two three\n1 2 3 4\n", "has one cell"),
        ("rows.csv", b"a,b\n" + b"1,2,3\n" * 10 + b"1,2\n", "10 of 11 rows cannot be read"),
        ("rows.csv", b"\x00\x01\x02" * 9, "NUL"),
        ("rows.jsonl", b"[1, 2]\n", "no JSON object"),
        ("rows.parquet", b"PAR1nonsense", "arquet"),
    ],
)
def test_what_cannot_be_inferred_says_why(
    tmp_path: Path, name: str, content: bytes | None, why: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises((NotInferable, UnreadableObject), match=why) as refused:
        infer_files(file)
    assert str(file) in str(refused.value) or file.name in str(refused.value)


def test_a_folder_of_two_formats_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "b.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(NotInferable, match=r"b\.jsonl: is of another format than a\.csv"):
        infer_files(tmp_path)


def test_numbers_of_persons_and_addresses_of_devices_are_told_by_their_checks(
    tmp_path: Path,
) -> None:
    persons = [n for n in range(111222000, 111223000) if is_valid("nl.bsn", str(n))][:40]
    lines = [f"{n},{person},81.2.69.{n + 100}" for n, person in enumerate(persons)]
    file = tmp_path / "rows.csv"
    file.write_text("\n".join(["id,code,seen_from", *lines, ""]))
    plain, code, seen = infer_files(file).columns
    assert plain.classification is Classification.INTERNAL
    assert code.classification is Classification.RESTRICTED
    assert "Dutch BSN" in " ".join(code.to_confirm)
    assert seen.classification is Classification.CONFIDENTIAL
    assert "111222" not in " ".join((*code.evidence, *code.to_confirm))
