"""The whole mesh on S3, Glue and Snowflake publishes what it publishes locally, column by column.

The stand-ins are reached over their own protocols; both environments start from empty.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from tests.cli.commands import states
from tests.domains.two_environments import Place, described, places, products
from tests.stand_ins import StandIns

# What the whole year costs is paid once: these tests stay in one process.
pytestmark = pytest.mark.xdist_group("the year in both environments")
PRODUCTS = products()
SERVERS = [(key, server) for key, servers in PRODUCTS.items() for server in servers]
NAMES = [f"{key} in the {server.value}" for key, server in SERVERS]


@pytest.fixture(scope="module")
def both(stand_ins: StandIns, tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Place]:
    """The whole mesh of the whole year, run by `mesh run` in both environments."""
    found = places(stand_ins, tmp_path_factory.mktemp("both"))
    outcomes = []
    for place in found:
        place.land()
        outcomes.append(states(place.mesh("run", "--json", seconds=900)))
    assert outcomes[0] == outcomes[1]
    assert Counter(outcomes[0].values()) == {"published": len(PRODUCTS)}
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("key", "server"), SERVERS, ids=NAMES)
def test_every_product_agrees(both: tuple[Place, Place], key: str, server) -> None:
    """Schema, rows, a checksum of every column, and what the version was checked against."""
    local, production = (described(place, key, server) for place in both)
    assert production == local


@pytest.mark.slow
def test_what_marketing_sees_of_contacts_joins_its_responses(
    both: tuple[Place, Place], tmp_path: Path
) -> None:
    """By the keyed hash of the address, in both environments; by the address itself nothing would."""
    for number, place in enumerate(both):
        shown, made = tmp_path / f"contacts-{number}.parquet", tmp_path / f"made-{number}.parquet"
        for key, file, *more in (
            ("customer/contacts", shown, "--as", "marketing"),
            ("marketing/campaign_responses", made, "--as", "marketing"),
        ):
            ran = place.mesh("read", key, "--output", str(file), *more)
            assert ran.code == 0, ran.err
        contacts, responses = pl.read_parquet(shown), pl.read_parquet(made)
        assert contacts.columns == ["household_id", "email"]
        joined = responses.join(contacts, left_on="contact", right_on="email", validate="m:1")
        assert joined.height == responses.height == 6_589


@pytest.mark.slow
def test_status_and_quarantine_agree(both: tuple[Place, Place]) -> None:
    tables, entries = [], []
    for place in both:
        status = place.mesh("status", "--json")
        assert status.code == 0, status.err
        of_the_run = {"published_at", "snapshot"}
        tables.append(
            {
                row["key"]: {k: v for k, v in row.items() if k not in of_the_run}
                for row in status.json
            }
        )
        refused = place.mesh("quarantine", "list", "--json")
        assert refused.code == 0, refused.err
        shown = ("product", "kind", "rows", "broke")
        entries.append(sorted(tuple(entry[k] for k in shown) for entry in refused.json))
    assert entries[1] == entries[0]
    for key in PRODUCTS:
        assert tables[1][key] == tables[0][key]
