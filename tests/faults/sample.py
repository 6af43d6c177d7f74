"""A sample of the example's real data, landed as the source systems would: days instead of a year.

Belongs here: which rows of the source are kept, so that every contract of the example still holds.
Does not belong here: how they are sent (`domains/source_systems`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domains.source_systems import source, systems
from domains.source_systems.__main__ import land, main
from shared_resources.landing.zones.zone import LandingZone

# Five weeks, of which the recommendations hold out the last four; one week of promotions. What
# campaigns did is kept for the households that bought something then. The other tables are small.
FIRST_DAY, DAYS = "2017-10-01", 36
PROMOTED = 160_000
_BOUGHT = "household_id IN (SELECT household_id FROM transactions)"
_CHOSEN = {
    "transactions": f"CAST(transaction_timestamp AS DATE) - DATE '{FIRST_DAY}' BETWEEN 0 AND {DAYS - 1}",
    "campaigns": _BOUGHT,
    "coupon_redemptions": _BOUGHT,
    "promotions": f"week = 40 ORDER BY ALL LIMIT {PROMOTED}",
}


def land_sample(zone: LandingZone, scratch: Path) -> None:
    """Land the sample in the zone; `scratch` keeps the sampled source tables."""
    with _sampled(scratch):
        land(zone)


@contextmanager
def _sampled(scratch: Path) -> Iterator[None]:
    original = source.table_path
    tables = _make_tables(original, scratch)

    def table(name: str) -> Path:
        return tables.get(name) or original(name)

    def streamed(name: str) -> Path:
        # The register of contacts has every household that ever bought something.
        return original(name) if name == "transactions" else table(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "table_path", table)
        patch.setattr(systems, "table_path", streamed)
        yield


def _make_tables(original: Callable[[str], Path], scratch: Path) -> Mapping[str, Path]:
    scratch.mkdir(parents=True, exist_ok=True)
    made = {}
    with duckdb.connect() as connection:
        for name, condition in _CHOSEN.items():
            made[name] = scratch / f"{name}.parquet"
            connection.read_parquet(str(original(name))).create_view("source")
            connection.execute(
                f"COPY (SELECT * FROM source WHERE {condition}) TO '{made[name]}' (FORMAT parquet)"
            )
            connection.read_parquet(str(made[name])).create_view(name)
    return made


def send_receipts(lines: int) -> None:
    """Send the next lines of receipts to the topic of `order/purchases`."""
    assert main(["replay", "--continue", "--limit", str(lines)]) == 0


def promotions(zone: LandingZone, scratch: Path, number: int, rows: int, bad: int = 0) -> None:
    """Land a later extract of `marketing/promotions`; `bad` rows say that nothing was promoted."""
    table = pq.read_table(scratch / "promotions.parquet").slice(0, rows)
    nothing = table.slice(0, bad)
    for name in ("display_location", "mailer_location"):
        zeros = pa.array(["0"] * bad, pa.string())
        nothing = nothing.set_column(nothing.column_names.index(name), name, zeros)
    file = scratch / "next.parquet"
    pq.write_table(pa.concat_tables([table, nothing.cast(table.schema)]), file)
    zone.put(f"marketing/promotions/promotions-2018-01-{10 + number}.parquet", file)
