"""Column lineage is derived from what dbt compiled, without dbt, and holds no product back."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared_resources.data_products.dbt.lineage import column_lineage
from tests.light import imported_of

LINES = '"scratch"."shop"."lines"'
DAILY = '"scratch"."shop"."daily"'
BEST = '"scratch"."shop"."best"'
MODEL: Mapping[str, Any] = {
    "unique_id": "model.mesh.best",
    "resource_type": "model",
    "package_name": "mesh",
    "original_file_path": "models/shop/best.sql",
    "relation_name": BEST,
    "name": "best",
    "fqn": ["mesh", "shop", "best"],
}
MANIFEST: Mapping[str, Any] = {
    "metadata": {"adapter_type": "duckdb"},
    "sources": {
        "source.mesh.shop.lines": {
            "resource_type": "source",
            "source_name": "shop",
            "name": "lines",
            "relation_name": LINES,
        }
    },
    "nodes": {
        "model.mesh.daily": {
            **MODEL,
            "unique_id": "model.mesh.daily",
            "name": "daily",
            "fqn": ["mesh", "shop", "daily"],
            "relation_name": DAILY,
        },
        "model.mesh.best": MODEL,
    },
}
TYPES = {
    LINES: {"day": "DATE", "amount": "DOUBLE", "colour": "VARCHAR"},
    DAILY: {"day": "DATE", "total": "DOUBLE"},
}


def lineage(run: Path, sql: str, *columns: str) -> dict[str, list[tuple[str, str]]]:
    file = run / "target" / "compiled" / "mesh" / "models" / "shop" / "best.sql"
    file.parent.mkdir(parents=True)
    file.write_text(sql)
    types = {**TYPES, BEST: dict.fromkeys(columns, "VARCHAR")}
    parents = ("source.mesh.shop.lines", "model.mesh.daily")
    return column_lineage(MANIFEST, MODEL, parents, types, run)


def test_sources_and_models_are_products_through_steps_stars_and_joins(tmp_path: Path) -> None:
    sql = f"""
        with per_day as (select day, sum(amount) as total from {LINES} group by 1),
        chosen as (select * from {DAILY})
        select p.day, p.total - c.total as Difference, count(*) over () as days, 1 as one
        from per_day p join chosen c on p.day = c.day
    """
    assert lineage(tmp_path, sql, "day", "Difference", "days", "one", "added_later") == {
        "added_later": [],
        "day": [("shop/lines", "day")],
        "days": [],
        "difference": [("shop/daily", "total"), ("shop/lines", "amount")],
        "one": [],
    }


@pytest.mark.parametrize("sql", ["select from where", "select nothing.of_that from nowhere n", ""])
def test_what_sqlglot_does_not_understand_has_no_lineage_and_says_so(
    tmp_path: Path, sql: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = lineage(tmp_path, sql, "day")
    assert found == {}
    assert "no column lineage of model.mesh.best" in caplog.text


def test_neither_dbt_nor_dagster_is_imported_for_a_build() -> None:
    script = (
        "import shared_resources.data_products.dbt.model\n"
        "import shared_resources.data_products.dbt.lineage, sqlglot.lineage\n"
    )
    assert imported_of(("dagster", "dagster_dbt", "dbt", "dbt_common"), script) == []
