"""CSV: the two parsers, each where it belongs, and what neither may lose at a buffer's end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from shared_resources.landing import text
from shared_resources.landing.formats import csv_records
from shared_resources.landing.formats.csv import CsvObject
from shared_resources.landing.formats.csv_records import CsvDamage, Dialect, records
from shared_resources.landing.formats.csv_shape import CsvShape
from shared_resources.landing.header import Expected
from shared_resources.landing.rejects import RejectsWriter
from shared_resources.landing.text import Limits, TextFile, open_text
from shared_resources.landing.typed_rows import Misread, TextQuery, TypedRows
from tests.landing.staging import landing_contract, stage

CONTRACT = landing_contract("csv", {"a": "int", "b": "text"})


def forbid(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    def refuse(*_: Any) -> Iterator[Any]:
        raise AssertionError(f"{method} was used")

    monkeypatch.setattr(CsvObject, method, refuse)


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,x\n2,y\n",
        b"a,b\r\n1,x\r\n",
        b"\xef\xbb\xbfa,b\n1,x\n",
        b'a,b\n1,"x\ny"\n2,"say ""hi"""\n',
        b'"a","b"\n"1","x"\n',
    ],
)
def test_regular_text_is_read_by_duckdb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    forbid(monkeypatch, "batches")
    assert stage(CONTRACT, content, tmp_path).rows


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\r1,x\r",
        b"a,b\n1,x\r\n",
        b"a,b\n1,x\n2,y,\n",
        b"a,b\n\n1,x\n",
        b'a,b\n1,x" y\n',
        b'a,b\n1,5"\n2,6"\n',
        b'a,b\n1, "x y"\n',
        b'"a\n",b\n1,x\n',
        b"a,b\n1," + b"x" * 100_000 + b"\n",
    ],
)
def test_irregular_text_is_read_carefully(tmp_path: Path, content: bytes) -> None:
    columns = {"a\n" if b'a\n"' in content else "a": "int", "b": "text"}
    contract = landing_contract("csv", columns)
    assert contract.landing is not None
    shape = CsvShape(",")
    path = write(tmp_path, content)
    with open_text(path, "k", "utf-8", tmp_path, Limits(), shape.look) as opened:
        table = CsvObject(opened, shape, "k", contract.landing, Expected(tuple(columns)), Limits())
        assert table.fast_query() is None
    assert stage(contract, content, tmp_path).rows


def test_duckdb_losing_rows_without_a_word_is_noticed(tmp_path: Path) -> None:
    """What DuckDB 2.0 does with `parallel = false`, and why rows are counted beside it."""
    content = b'a,b\n1,"x\n2,y\n'
    options = "header = true, columns = {'a': 'VARCHAR', 'b': 'VARCHAR'}, strict_mode = true"
    path = write(tmp_path, content)
    query = f"FROM read_csv('{path}', auto_detect = false, parallel = false, {options})"
    assert duckdb.sql(query).fetchall() == []
    with pytest.raises(text.UnreadableObject, match="never closed"):
        stage(CONTRACT, content, tmp_path)


def test_a_path_with_glob_characters_is_one_path(tmp_path: Path) -> None:
    folder = tmp_path / "a*b?[c] 'd'"
    folder.mkdir()
    (tmp_path / "aXb?[c] 'd'").mkdir()
    assert stage(CONTRACT, b"a,b\n1,x\n", folder).rows == [{"a": 1, "b": "x"}]


def test_columns_named_like_sql(tmp_path: Path) -> None:
    columns = {
        'quo"te': "int",
        "it's": "text",
        "select": "int",
        "bad": "int",
        "c0": "int",
        "C0": "int",
    }
    header = b'"quo""te",it\'s,select,bad,c0,C0\n'
    contract = landing_contract("csv", columns)
    outcome = stage(contract, header + b"1,x,2,3,4,5\nbad,x,2,3,4,5\n", tmp_path)
    assert outcome.rows == [{'quo"te': 1, "it's": "x", "select": 2, "bad": 3, "c0": 4, "C0": 5}]
    assert outcome.problems[0][1] == 'quo"te'


@pytest.mark.parametrize("careful", [False, True])
def test_large_text_keeps_every_row_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, careful: bool
) -> None:
    if careful:
        monkeypatch.setattr(CsvObject, "fast_query", lambda _: None)
    lines = [f'{i},"é𝄞{"x" * (i % 50)}\n,""{i}"""' for i in range(60_000)]
    lines[40_000] = "bad,y"
    outcome = stage(CONTRACT, ("a,b\n" + "\n".join(lines) + "\n").encode(), tmp_path)
    assert [row["a"] for row in outcome.rows] == [i for i in range(60_000) if i != 40_000]
    assert all(row["b"] == f'é𝄞{"x" * (row["a"] % 50)}\n,"{row["a"]}"' for row in outcome.rows)
    assert outcome.rejects[0]["_row"] == 40_001
    assert outcome.rejects[0]["_line"] == (80_002 if careful else None)


def test_large_text_of_cells_that_look_like_rows_keeps_every_row(tmp_path: Path) -> None:
    """DuckDB's readers that share a file take such lines for rows (duckdb/duckdb#10306)."""
    cell = "\n".join("Main St 5, Berlin" for _ in range(200))
    content = "a,b\n" + "".join(f'{i},"{cell}"\n' for i in range(2_500))
    assert len(content) > 8 << 20
    rows = stage(CONTRACT, content.encode(), tmp_path).rows
    assert rows == [{"a": i, "b": cell} for i in range(2_500)]


def test_what_duckdb_cannot_read_after_its_first_rows_is_read_carefully(tmp_path: Path) -> None:
    sql = "SELECT CASE WHEN i > 200000 THEN error('no') ELSE '1' END AS c0, '' AS c1 "
    query = TextQuery(sql + "FROM range(300000) AS t(i)", 300_000, 2_048, None)
    rejects = RejectsWriter(tmp_path / "rejects.parquet", "k")
    with TypedRows(CONTRACT.columns, rejects, tmp_path) as rows, pytest.raises(Misread):
        for _ in rows.parse_query(query):
            pass


def write(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "text"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("chunk", [1, 2, 3, 7])
def test_records_do_not_depend_on_where_buffers_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    content = 'h,"i"\r\n\r\n"a\r\nb","c""d"\r1,é\n"",\n𝄞,"x'.encode()
    opened = TextFile(write(tmp_path, content), start=0, longest=0)
    monkeypatch.setattr(csv_records, "CHUNK", chunk)
    found = []
    with pytest.raises(CsvDamage, match="line 7: a quote is opened here"):
        for record in records(opened, Dialect(",", ""), 1000):
            found.append((record.line, record.cells))
    assert found == [
        (1, ["h", "i"]),
        (2, []),
        (3, ["a\r\nb", 'c"d']),
        (5, ["1", "é"]),
        (6, ["", None]),
    ]
