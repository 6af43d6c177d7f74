"""A table of Snowflake, over its own protocol, by the mesh's own login."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared_resources.contracts.model import Classification
from shared_resources.inference.infer import infer_table
from shared_resources.inference.inferred import NotInferable
from shared_resources.wiring import ProductionEnvironment

TABLE = """
create or replace table {place} (
    order_no integer not null, "Größe" float, amount number(10, 2) not null, email varchar(50),
    sold_on date, local_at timestamp_ntz, sold_at timestamp_tz, is_open boolean, raw variant,
    seen_at timestamp_ltz
)
"""
ROWS = """
insert into {place}
    (order_no, "Größe", amount, email, sold_on, local_at, sold_at, is_open, seen_at) values
    (1, 0.5, 12.25, 'a@example.com', '2024-01-31',
     '2024-01-31 10:00:00', '2024-01-31 10:00:00+02:00', true, '2024-01-31 10:00:00+02:00'),
    (2, null, 3.00, 'b@example.com', '2024-02-01',
     '2024-02-01 00:30:00', '2024-02-01 00:30:00+02:00', false, '2024-02-01 00:30:00+02:00'),
    (3, 1.5, 7.75, null, null, null, null, null, null)
"""


@pytest.fixture
def place(production: ProductionEnvironment) -> Iterator[str]:
    login = production.settings.snowflake
    table = f"{login.database}.PUBLIC.ORDERS"
    with login.connection() as connection, connection.cursor() as cursor:
        cursor.execute(f"create schema if not exists {login.database}.PUBLIC")
        for statement in (TABLE, ROWS):
            cursor.execute(statement.format(place=table))
        cursor.execute(f"create or replace table {login.database}.PUBLIC.EMPTY (n integer)")
        yield f"snowflake://{login.database}#"
        cursor.execute(f"drop table {table}")


def test_its_columns_are_what_snowflake_says(place: str) -> None:
    found = infer_table(f"{place}public.orders")
    assert {one.landed_as: (one.name, str(one.type), one.required) for one in found.columns} == {
        "ORDER_NO": ("order_no", "BIGINT", True),
        "Größe": ("grosse", "DOUBLE", False),
        "AMOUNT": ("amount", "DECIMAL(10,2)", True),
        "EMAIL": ("email", "VARCHAR", False),
        "SOLD_ON": ("sold_on", "DATE", False),
        "LOCAL_AT": ("local_at", "TIMESTAMP", False),
        "SOLD_AT": ("sold_at", "TIMESTAMP WITH TIME ZONE", False),
        "IS_OPEN": ("is_open", "BOOLEAN", False),
        "SEEN_AT": ("seen_at", "TIMESTAMP WITH TIME ZONE", False),
    }
    assert found.rows == 3 and found.key == ("order_no",)  # proven on the rows
    assert found.landing is not None and found.landing["format"] == "parquet"
    classified = {one.name for one in found.columns if one.classification.classified}
    assert "email" in classified and Classification.CONFIDENTIAL.classified
    said = " ".join(found.to_confirm)
    assert "'SOLD_AT' is a TIMESTAMP_TZ: its moments are kept, in UTC" in said
    assert "'RAW' holds" in said
    for name in ("sold_at", "seen_at"):
        moment = next(one for one in found.columns if one.name == name)
        assert any("2024-01-31 08:00" in said for said in moment.evidence), moment.evidence
    local = next(one for one in found.columns if one.name == "local_at")
    assert any("2024-01-31 10:00" in said for said in local.evidence), local.evidence


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("public.nothing", "there is no such table"),
        ("public.empty", "holds no rows"),
        ("orders", "is written snowflake://DATABASE#SCHEMA.TABLE"),
    ],
)
def test_what_cannot_be_read_says_why(place: str, table: str, why: str) -> None:
    with pytest.raises(NotInferable, match=why):
        infer_table(place + table)


def test_a_login_in_the_address_and_missing_settings_are_said(
    production: ProductionEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotInferable, match="without a login") as refused:
        infer_table("snowflake://me:hush@account/shop#public.orders")
    assert "hush" not in str(refused.value)
    monkeypatch.delenv("SNOWFLAKE_USER")
    with pytest.raises(NotInferable, match="SNOWFLAKE_USER is not set"):
        infer_table("snowflake://shop#public.orders")
