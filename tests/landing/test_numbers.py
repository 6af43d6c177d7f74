"""Numbers as text: each is exactly a value of its column's type, or a reject, however it is read.

What is a value is said here once more, with Python's exact decimals; the two parsers of CSV and that
of JSON lines must all agree with it.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from shared_resources.contracts.types import ColumnType, Family
from shared_resources.landing.formats.csv import CsvObject
from tests.contract_factory import TYPES
from tests.landing.staging import Outcome, landing_contract, stage

FLOATS = {"float": 1 << 52, "float32": 1 << 23}
TYPES_OF_NUMBERS: dict[str, str | ColumnType] = {
    "float": "float",
    "float32": "float32",
    "int": "int",
    "int32": "int32",
    "decimal": "decimal",
    "wide": ColumnType(Family.DECIMAL, precision=38, scale=18),
}
PLAIN = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)")
# Not shrunk, which takes a minute: a list of texts is read as it is.
PHASES = (Phase.explicit, Phase.generate)
EXACT = Context(prec=1_000, Emax=99_999, Emin=-99_999)


def expected(type_: str, text: str) -> Any:
    """The value that the text is in CSV, or None."""
    if type_ in FLOATS:
        return expected_float(type_, text)
    declared = TYPES_OF_NUMBERS[type_]
    column = TYPES[declared] if isinstance(declared, str) else declared
    if not PLAIN.fullmatch(text):
        return None
    if column.family is Family.INTEGER:
        fits = str(int(text)) == text if re.fullmatch("-?[0-9]+", text) else False
        return (
            int(text)
            if fits and -(1 << column.width - 1) <= int(text) < 1 << column.width - 1
            else None
        )
    value = EXACT.create_decimal(text)
    rounded = EXACT.quantize(value, Decimal(1).scaleb(-column.scale))
    whole = column.precision - column.scale
    return rounded if rounded == value and abs(value) < Decimal(10) ** whole else None


def expected_float(type_: str, text: str) -> float | None:
    if not re.fullmatch(PLAIN.pattern + r"(?:[eE][+-]?[0-9]+)?", text):
        return None
    exact = EXACT.create_decimal(text)
    value = float(pc.cast(pa.array([text]), TYPES[type_].arrow)[0].as_py())
    if math.isinf(value) or (value == 0) != (exact == 0):
        return None
    if abs(value) < FLOATS[type_]:
        return value
    if "e" not in text.lower():
        return value if Decimal(value) == exact else None
    digits = len(exact.normalize(EXACT).as_tuple().digits)
    return value if Decimal(f"{value:.{digits - 1}e}") == exact else None


def near(power: int) -> st.SearchStrategy[int]:
    return st.integers(-70, 70).map(lambda offset: (1 << power) + offset)


WHOLE = st.one_of(
    st.integers(-(10**40), 10**40),
    st.integers(0, 400).map(lambda power: 10 ** (power % 320)),
    *(near(power) for power in (22, 23, 24, 31, 52, 53, 54, 63, 64, 127)),
).flatmap(lambda n: st.sampled_from([n, -n]))
SPELT = st.one_of(
    WHOLE.map(str),
    WHOLE.map(lambda n: f"{n}.0"),
    WHOLE.map(lambda n: f"{n}.000"),
    WHOLE.map(lambda n: f"{n}e0"),
    WHOLE.map(lambda n: f"{Decimal(n):e}"),
    st.tuples(WHOLE, st.integers(0, 10**25)).map(lambda parts: f"{parts[0]}.{parts[1]}"),
    st.tuples(WHOLE, st.integers(-400, 400)).map(lambda parts: f"{parts[0]}E{parts[1]}"),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
    st.integers(-(10**20), 10**20).map(lambda n: str(Decimal(n).scaleb(-5))),
    st.sampled_from(
        [
            "inf",
            "-Infinity",
            "nan",
            "NaN",
            "1e999",
            "1e-999",
            "-0",
            "-0.0",
            "0e5",
            "00",
            "007",
            "+1",
            "1.",
            ".5",
            "1e",
            "0x10",
            "1_000",
            "1e16",
            "1e22",
            "1e23",
            "0.1",
            "9007199254740993.0",
            "16777217",
            "1d",
        ]
    ),
)


@pytest.mark.parametrize("type_", TYPES_OF_NUMBERS)
@settings(max_examples=12, deadline=None, phases=PHASES)
@given(texts=st.lists(SPELT, min_size=40, max_size=60))
def test_a_number_is_exactly_a_value_of_its_type_or_none(type_: str, texts: list[str]) -> None:
    wanted = [expected(type_, text) for text in texts]
    contract = landing_contract("csv", {"n": TYPES_OF_NUMBERS[type_], "t": "text"})
    content = "n,t\n" + "".join(f"{text},{i}\n" for i, text in enumerate(texts))
    fast = by_place(staged(contract, content), len(texts))
    assert fast == wanted
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CsvObject, "fast_query", lambda _: None)
        assert by_place(staged(contract, content), len(texts)) == fast


@pytest.mark.parametrize("type_", FLOATS)
@settings(max_examples=8, deadline=None, phases=PHASES)
@given(texts=st.lists(SPELT, min_size=40, max_size=60))
def test_a_number_of_json_is_read_as_that_of_csv(type_: str, texts: list[str]) -> None:
    texts = [text for text in texts if is_json(text)]
    contract = landing_contract("jsonl", {"n": TYPES_OF_NUMBERS[type_], "t": "text"})
    content = "".join(f'{{"n": {text}, "t": "{i}"}}\n' for i, text in enumerate(texts))
    if texts:
        found = by_place(staged(contract, content), len(texts))
        assert found == [expected(type_, text) for text in texts]


def is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=lambda name: json.loads("no constant"))
    except ValueError:
        return False
    return text.strip() == text


def staged(contract: Any, content: str) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        return stage(contract, content.encode(), Path(folder))


def by_place(outcome: Outcome, rows: int) -> list[Any]:
    """The values in the order of the texts; None where one was rejected."""
    found = {int(row["t"]): row["n"] for row in outcome.rows}
    return [found.get(place) for place in range(rows)]


@pytest.mark.parametrize(
    ("type_", "text", "said"),
    [
        ("float", "9007199254740993", "more digits than DOUBLE holds exactly; declare"),
        ("float", "9007199254740993.0", "more digits than DOUBLE holds"),
        ("float", "9.007199254740993e15", "more digits than DOUBLE holds"),
        ("float", "4503599627370497.5", "more digits than DOUBLE holds"),
        ("float32", "16777217", "more digits than FLOAT holds exactly"),
        ("float32", "123456789", "more digits than FLOAT holds exactly"),
        ("float", "1e999", "out of the range of DOUBLE"),
        ("float32", "1e39", "out of the range of FLOAT"),
        ("float32", "1e-99", "out of the range of FLOAT"),
        ("float", "-Inf", "not a number"),
        ("decimal", "1.005", "more decimal places than the 2"),
        ("decimal", "10000000000", "out of the range"),
        *((type_, text, "say so as the landing's nullText")
          for type_ in ("int", "float", "decimal", "date", "bool")
          for text in ("(NA)", "N/A", "null", "-", "\\N", "?")),
        ("int", "9223372036854775808", "out of the range of BIGINT"),
    ],
)  # fmt: skip
def test_why_a_number_is_no_value(tmp_path: Path, type_: str, text: str, said: str) -> None:
    contract = landing_contract("csv", {"n": type_, "t": "text"})
    assert said in stage(contract, f"n,t\n{text},x\n".encode(), tmp_path).problems[0][2]
