"""Broken data: one edit each of an object that the example's source systems land, and what must catch it.

Belongs here: the edits. Does not belong here: who is shown them (`benchmarks/mutations.py`), contracts
(`contracts.py`).

`catches` names the rule of ours that refuses the object before anything of it is published; `unreadable`
stands for a file that is refused as a whole when it is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

CATALOG, CONTACTS = "product/catalog", "customer/contacts"
LINES, REDEMPTIONS = "order/transactions", "marketing/redemptions"
PERSONAL = "policy_no_undeclared_personal_data"
Edit = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Mutation:
    product: str
    name: str
    catches: str
    edit: Edit


def _lines(change: Callable[[list[str]], list[str]]) -> Edit:
    def edit(raw: bytes) -> bytes:
        return ("\n".join(change(raw.decode().split("\n")[:-1])) + "\n").encode()

    return edit


def _cell(column: int, value: str, rows: int = 1) -> Edit:
    """The value in that column of some rows of CSV, of which no cell before it is quoted."""

    def change(lines: list[str]) -> list[str]:
        changed = 0
        for place in range(1, len(lines)):
            cells = lines[place].split(",")
            if '"' not in lines[place] and cells[column] and changed < rows:
                cells[column] = value.replace("{n}", str(changed))
                lines[place] = ",".join(cells)
                changed += 1
        return lines

    return _lines(change)


def _table(change: Callable[[pa.Table], pa.Table]) -> Edit:
    def edit(raw: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        pq.write_table(change(pq.read_table(pa.BufferReader(raw))), sink)
        return bytes(sink.getvalue())

    return edit


def _values(column: str, change: Callable[[list[Any]], list[Any]], type_: Any = None) -> Edit:
    def edit(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index(column)
        values = change(table[column].to_pylist())
        field = pa.field(column, type_ or table.schema.field(column).type)
        return table.set_column(place, field, pa.array(values, field.type))

    return _table(edit)


def _first(value: Any, rows: int = 1) -> Callable[[list[Any]], list[Any]]:
    return lambda values: [value] * rows + values[rows:]


def _objects(change: Callable[[dict[str, Any]], None]) -> Edit:
    """The first object of JSON lines, changed."""

    def lines(all_: list[str]) -> list[str]:
        first = json.loads(all_[0])
        change(first)
        return [json.dumps(first), *all_[1:]]

    return _lines(lines)


def _ragged(line: str) -> str:
    return line.rpartition(",")[0]


def _persons(count: int) -> list[int]:
    """Polish numbers of persons, made up: a date, a serial number and the check digit."""
    found = []
    for n in range(count):
        body = f"{60 + n % 40:02d}{1 + n % 12:02d}{1 + n % 28:02d}{1000 + n * 7 % 9000:04d}"
        weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
        check = -sum(w * int(d) for w, d in zip(weights, body, strict=True)) % 10
        found.append(int(f"{body}{check}"))
    return found


def _numbers_of_persons(lines: list[str]) -> list[str]:
    numbers = iter(_persons(len(lines)))
    return [lines[0], *(re.sub(r"^([^,]*),[^,]*", rf"\1,{next(numbers)}", x) for x in lines[1:])]


def _moved(hours: int) -> Callable[[list[Any]], list[Any]]:
    return lambda values: [value + timedelta(hours=hours) for value in values]


def _flipped(raw: bytes) -> bytes:
    place = len(raw) // 3
    return raw[:place] + bytes([raw[place] ^ 0xFF]) + raw[place + 1 :]


CATALOG_DATA = (
    ("no key", "required_product_id", _cell(0, "")),
    ("a row twice", "primary_key", _lines(lambda x: [*x, x[1]])),
    ("two rows with one key", "primary_key", _cell(0, "25671", 2)),
    ("a negative key", "range_product_id", _cell(0, "-1")),
    ("text for a number", "parse", _cell(0, "abc")),
    ("a fraction for a whole number", "parse", _cell(1, "12.5")),
    ("a number beyond 64 bits", "parse", _cell(1, "99999999999999999999")),
    ("an unknown department", "enumeration_department", _cell(2, "GROCERIES")),
    ("another spelling", "enumeration_department", _cell(2, "grocery")),
    ("a space too many", "enumeration_brand", _cell(3, "National ")),
    ("no brand", "required_brand", _cell(3, "")),
    ("too many without a category", "product_category_known", _cell(4, "", 2_000)),
    ("a text too long", "length_package_size", _cell(6, "X" * 31)),
    ("half an extract", "whole_master", _lines(lambda x: x[: len(x) // 2])),
    ("a header alone", "not_empty", _lines(lambda x: x[:1])),
    ("nothing at all", "unreadable", lambda raw: b""),
    ("a column missing", "unreadable", _lines(lambda x: [_ragged(line) for line in x])),
    ("a column more", "unreadable", _lines(lambda x: [f"{line},1" for line in x])),
    ("a column renamed", "unreadable", _lines(lambda x: [x[0].replace("brand", "make"), *x[1:]])),
    ("another delimiter", "unreadable", lambda raw: raw.replace(b",", b";")),
    ("another encoding", "unreadable", lambda raw: raw.replace(b"APPLE", b"\xc4PFEL", 1)),
    ("a cell too few", "parse", _lines(lambda x: [*x[:5], _ragged(x[5]), *x[6:]])),
    ("a cell too many", "parse", _lines(lambda x: [*x[:5], x[5] + ",1", *x[6:]])),
    ("a quote that is not closed", "unreadable", _lines(lambda x: [*x[:-3], '"' + x[-3], *x[-2:]])),
    ("the header again", "parse", _lines(lambda x: [*x, x[0]])),
    ("one department for all", "most_departments_present", _cell(2, "GROCERY", 100_000)),
    ("an e-mail address", PERSONAL, _cell(5, "ask jo@example.com")),
    ("an IBAN", PERSONAL, _cell(5, "DE89370400440532013000")),
    ("a payment card", PERSONAL, _cell(5, "4111 1111 1111 1111")),
    ("an IP address", PERSONAL, _cell(5, "from 81.2.69.142")),
    ("numbers of persons for manufacturers", PERSONAL, _lines(_numbers_of_persons)),
)
CONTACTS_DATA = (
    ("no e-mail address", "required_email", _values("email", _first(None))),
    ("an address elsewhere", "pattern_email", _values("email", _first("jo@example.org"))),
    ("one address for two", "unique_email", _values("email", lambda x: [x[1], *x[1:]])),
    ("a telephone otherwise", "pattern_phone", _values("phone", _first("415 555 0100"))),
    ("an empty name", "length_last_name", _values("last_name", _first(""))),
    ("a name too long", "length_first_name", _values("first_name", _first("x" * 81))),
    ("keys as text", "unreadable", _values("household_id", lambda x: [*map(str, x)], pa.string())),
    (
        "keys with fractions",
        "unreadable",
        _values("household_id", lambda x: [v + 0.5 for v in x], pa.float64()),
    ),
    ("a part of the register", "whole_register", _table(lambda table: table.slice(0, 100))),
    ("a file cut off", "unreadable", lambda raw: raw[: len(raw) // 2]),
    ("a byte flipped", "unreadable", _flipped),
)
LINES_DATA = (
    ("a negative price", "range_sales_value", _values("sales_value", _first(-1.0))),
    ("no number", "required_sales_value", _values("sales_value", _first(float("nan")))),
    (
        "a price in cents",
        "range_sales_value",
        _values("sales_value", lambda x: [v * 100_000 for v in x]),
    ),
    ("too many for nothing", "sales_value_positive", _values("sales_value", _first(0.0, 500))),
    ("far too many pieces", "range_quantity", _values("quantity", _first(1_000_000))),
    (
        "a line of another day",
        "partition",
        _values("transaction_timestamp", lambda x: [_moved(48)(x)[0], *x[1:]]),
    ),
    ("a day too late", "partition", _values("transaction_timestamp", _moved(24))),
    (
        "a customer that is none",
        "relationship_household_id_2",
        _values("household_id", _first(99_999_999)),
    ),
    (
        "products that are none",
        "relationship_product_id",
        _values("product_id", _first(99_999_999, 300)),
    ),
    (
        "a line twice",
        "primary_key",
        _table(lambda table: pa.concat_tables([table, table.slice(0, 1)])),
    ),
    (
        "a basket of two customers",
        "one_visit_a_basket",
        _values("household_id", lambda x: [x[-1] if n % 7 == 0 else v for n, v in enumerate(x)]),
    ),
    ("a day cut off", "plausible_volume_of_each_day", _table(lambda table: table.slice(0, 100))),
    ("another week", "week_agrees_with_time", _values("week", lambda x: [v + 1 for v in x])),
    (
        "times with a zone",
        "unreadable",
        _values(
            "transaction_timestamp",
            lambda x: [v.replace(tzinfo=UTC) for v in x],
            pa.timestamp("us", "UTC"),
        ),
    ),
    ("a column missing", "unreadable", _table(lambda table: table.drop_columns(["store_id"]))),
)
REDEMPTIONS_DATA = (
    (
        "a day too early",
        "range_redemption_date",
        _objects(lambda x: x.update(redemption_date="2016-05-01")),
    ),
    ("a day that is none", "parse", _objects(lambda x: x.update(redemption_date="2017-02-30"))),
    ("a day in another order", "parse", _objects(lambda x: x.update(redemption_date="30/05/2017"))),
    (
        "a campaign that is none",
        "relationship_campaign_id",
        _objects(lambda x: x.update(campaign_id=999)),
    ),
    ("no campaign", "required_campaign_id", _objects(lambda x: x.update(campaign_id=None))),
    (
        "a coupon of another campaign",
        "relationship_coupon_upc_campaign_id",
        _objects(lambda x: x.update(coupon_upc=10000089238)),
    ),
    ("a field that is not known", "parse", _objects(lambda x: x.update(colour="blue"))),
    ("no JSON", "unreadable", _lines(lambda x: ["{", *x[1:]])),
    (
        "a field twice",
        "parse",
        _lines(lambda x: [x[0].replace("{", '{"campaign_id": 1, ', 1), *x[1:]]),
    ),
)

MUTATIONS: tuple[Mutation, ...] = tuple(
    Mutation(product, name, catches, edit)
    for product, of_it in (
        (CATALOG, CATALOG_DATA),
        (CONTACTS, CONTACTS_DATA),
        (LINES, LINES_DATA),
        (REDEMPTIONS, REDEMPTIONS_DATA),
    )
    for name, catches, edit in of_it
)
# What is no fault: none of these may be refused.
HARMLESS: tuple[Mutation, ...] = (
    Mutation(CATALOG, "as it is", "", lambda raw: raw),
    Mutation(CATALOG, "rows in another order", "", _lines(lambda x: [x[0], *reversed(x[1:])])),
    Mutation(CATALOG, "ends of lines as on Windows", "", lambda raw: raw.replace(b"\n", b"\r\n")),
    Mutation(CONTACTS, "as it is", "", lambda raw: raw),
    Mutation(CONTACTS, "rows in another order", "", _table(lambda t: t.sort_by("email"))),
    Mutation(LINES, "as it is", "", lambda raw: raw),
    Mutation(REDEMPTIONS, "as it is", "", lambda raw: raw),
)


def landed(folder: Path) -> dict[str, Path]:
    """Land one object of each product that is edited, and of those that they refer to."""
    from domains.source_systems.objects import LandingWriter
    from domains.source_systems.systems import SYSTEMS
    from shared_resources.landing.zones.folder import FolderLandingZone

    writer = LandingWriter(FolderLandingZone(folder), 1)
    wanted = (CATALOG, CONTACTS, LINES, REDEMPTIONS, "customer/households", "marketing/campaigns")
    for product in (*wanted, "marketing/coupons", "marketing/campaign_households"):
        SYSTEMS[product](writer)
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {"/".join(path.relative_to(folder).parts[:2]): path for path in found}
