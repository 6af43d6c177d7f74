"""The engines' errors in the author's terms: his file, his line, no value of a row.

Snowflake's own texts are those of its documentation; its stand-in words some of them otherwise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared_resources.data_products.dbt.messages import failure, readable, reason_of

MODEL = """with lines as (

    select day, amuont from {{ source('shop', 'lines') }}

)

select day, sum(amuont) as total
from lines
group by day
"""
NODE: dict[str, Any] = {"original_file_path": "models/shop/daily.sql", "package_name": "mesh"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder as dbt leaves it: the model, compiled, and in the statement around it."""
    compiled = MODEL.replace("{{ source('shop', 'lines') }}", 'MESH."S"."shop/lines"')
    statement = f'create or replace transient table MESH."S"."shop/daily"\n\n  as ({compiled})\n;'
    for folder, text in (
        ("models/shop", MODEL),
        ("target/compiled/mesh/models/shop", compiled),
        ("target/run/mesh/models/shop", f"\n\n{statement}"),
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "daily.sql").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("error line 5 at position 16\n  invalid identifier 'AMUONT'", 3),
        ("error line 9 at position 16\n  invalid identifier 'AMUONT'", 7),
        ("syntax error line 10 at position 0 unexpected 'lines'.", 8),
        ("error line 90 at position 1\n  invalid identifier 'NOWHERE'", None),
        ("Unknown function SUM", 7),
        ("Object 'MESH.S.OTHER' does not exist or not authorized.", None),
    ],
)
def test_snowflakes_place_in_dbts_statement_is_the_authors_line(
    run: Path, said: str, line: int | None
):
    head = "Database Error in model daily (models/shop/daily.sql)\n  000904 (42000): "
    message = str(failure(NODE, f"{head}SQL compilation error: {said}", run))
    place = f"dbt_project/models/shop/daily.sql{f':{line}' if line else ''}: "
    assert message.startswith(place + "dbt could not run the model: 000904 (42000)")


@pytest.mark.parametrize(
    "said",
    [
        "100038 (22018): Numeric value 'secret' is not recognized",
        "100040 (22007): Date 'secret' is not recognized",
        "100078 (22000): String 'secret' is too long and would be truncated",
        "100046 (22003): Number out of representable range: type FIXED[SB1](2,0){not null}, "
        "value 4711",
        "Conversion Error: Could not convert string 'secret' to INT32",
    ],
)
def test_a_value_is_not_shown(said: str):
    reason = reason_of(f"Database Error in model daily (models/shop/daily.sql)\n  {said}")
    assert "secret" not in reason
    assert "4711" not in reason
    assert "(a value)" in reason


def test_dbts_own_failure_is_shown_without_its_traceback():
    said = "Encountered an error:\n250001 (08001): no connection\nTraceback (most recent call last):\n x"
    assert readable([said]) == "Encountered an error:\n250001 (08001): no connection"
