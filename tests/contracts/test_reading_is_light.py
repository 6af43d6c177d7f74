"""Reading contracts stays light enough for `mesh check` to be run on every save."""

from __future__ import annotations

from tests.light import imported_of

HEAVY = ("pandas", "polars", "dagster", "pandera", "pydantic", "pyiceberg", "duckdb", "jsonschema")


def test_reading_contracts_imports_nothing_heavy() -> None:
    script = "from tests.contracts.reading import read, rich\nread(rich())"
    assert imported_of(HEAVY, script) == []
