"""Dates and timestamps in the contract's format: read exactly, by each parser, and nothing else."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_resources.contracts.model import Contract
from shared_resources.landing.formats.csv import CsvObject
from tests.landing.staging import Outcome, landing_contract, stage


def two(n: int) -> str:
    return f"{n:02}"


def zone(at: datetime) -> str:
    minutes = int((at.utcoffset() or timedelta()).total_seconds()) // 60
    return f"{'+' if minutes >= 0 else '-'}{two(abs(minutes) // 60)}:{two(abs(minutes) % 60)}"


# Each pattern, its type, and the same said in Python.
PATTERNS: dict[str, tuple[str, Any]] = {
    "dd.MM.yyyy": ("date", lambda d: f"{two(d.day)}.{two(d.month)}.{d.year:04}"),
    "d/M/yyyy": ("date", lambda d: f"{d.day}/{d.month}/{d.year:04}"),
    "yyyyMMdd": ("date", lambda d: f"{d.year:04}{two(d.month)}{two(d.day)}"),
    "'day' dd 'of' MM/uuuu": ("date", lambda d: f"day {two(d.day)} of {two(d.month)}/{d.year:04}"),
    "dd.MM.yyyy H:mm": (
        "timestamp",
        lambda t: f"{two(t.day)}.{two(t.month)}.{t.year:04} {t.hour}:{two(t.minute)}",
    ),
    "yyyyMMdd'T'HHmmssSSS": (
        "timestamp",
        lambda t: f"{t.year:04}{t:%m%dT%H%M%S}{t.microsecond // 1000:03}",
    ),
    "yyyyMMdd HHmm": (
        "timestamp_tz",
        lambda t: f"{(u := t.astimezone(UTC)).year:04}{u:%m%d %H%M}",
    ),
    "dd.MM.yyyy HH:mm:ss.SSSSSSXXX": (
        "timestamp_tz",
        lambda t: f"{two(t.day)}.{two(t.month)}.{t.year:04} {t:%H:%M:%S}.{t.microsecond:06}{zone(t)}",
    ),
}  # fmt: skip
OFFSETS = st.integers(-14 * 4, 14 * 4).map(lambda n: timezone(timedelta(minutes=15 * n)))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "date": st.dates(),
    "timestamp": st.datetimes(),
    "timestamp_tz": st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=OFFSETS),
}


def held(pattern: str, value: Any) -> Any:
    """What of the value the pattern writes."""
    if isinstance(value, datetime):
        if "S" not in pattern:
            value = value.replace(second=0, microsecond=0)
        elif "SSSS" not in pattern:
            value = value.replace(microsecond=value.microsecond // 1000 * 1000)
        return value.astimezone(UTC) if value.tzinfo else value
    return value


def contract_of(format_: str, pattern: str, type_: str) -> Contract:
    contract = landing_contract(format_, {"v": type_, "t": "text"})
    column = replace(contract.columns[0], text_format=pattern)
    return replace(contract, columns=(column, contract.columns[1]))


def staged(contract: Contract, content: str) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        return stage(contract, content.encode(), Path(folder))


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_what_the_format_writes_is_read_back(pattern: str, data: st.DataObject) -> None:
    type_, write = PATTERNS[pattern]
    values = data.draw(st.lists(VALUES[type_], min_size=1, max_size=20))
    texts = [write(value) for value in values]
    wanted = [held(pattern, value) for value in values]
    csv = "v,t\n" + "".join(f"{text},x\n" for text in texts)
    lines = "".join(json.dumps({"v": text, "t": "x"}) + "\n" for text in texts)
    found = [staged(contract_of("csv", pattern, type_), csv)]
    found.append(staged(contract_of("jsonl", pattern, type_), lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CsvObject, "fast_query", lambda _: None)
        found.append(staged(contract_of("csv", pattern, type_), csv))
    for outcome in found:
        assert not outcome.rejects
        assert [row["v"] for row in outcome.rows] == wanted


@pytest.mark.parametrize(
    ("pattern", "type_", "text", "said"),
    [
        ("dd.MM.yyyy", "date", "2020-12-31", "not written in the contract's format dd.MM.yyyy"),
        ("dd.MM.yyyy", "date", "1.12.2020", "not written in"),
        ("dd.MM.yyyy", "date", "31.12.20", "not written in"),
        ("dd.MM.yyyy", "date", "31-12-2020", "not written in"),
        ("dd.MM.yyyy", "date", "31.02.2020", "no day of the calendar"),
        ("dd.MM.yyyy", "date", "12.31.2020", "no day of the calendar"),
        ("dd.MM.yyyy", "date", " 31.12.2020", "blanks around"),
        ("d.M.yyyy", "date", "01.2.2020", "not written in"),
        ("yyyyMMdd HHmm", "timestamp", "20201231 2400", "no time of it"),
        ("yyyyMMdd HHmmX", "timestamp_tz", "20201231 2359", "not written in"),
    ],
)
def test_what_is_written_otherwise_is_no_value(
    pattern: str, type_: str, text: str, said: str
) -> None:
    outcome = staged(contract_of("csv", pattern, type_), f"v,t\n{text},x\n")
    assert not outcome.rows
    assert said in outcome.problems[0][2]


def test_columns_of_one_type_keep_their_formats(tmp_path: Path) -> None:
    contract = landing_contract("csv", {"a": "date", "b": "date", "c": "date"})
    formats = ("dd.MM.yyyy", "", "MM/dd/yyyy")
    columns = [replace(c, text_format=f) for c, f in zip(contract.columns, formats, strict=True)]
    outcome = stage(
        replace(contract, columns=tuple(columns)),
        b"a,b,c\n02.01.2020,2020-01-02,01/02/2020\n",
        tmp_path,
    )
    assert outcome.rows == [dict.fromkeys("abc", date(2020, 1, 2))]
