"""The whole mesh on S3, Glue and Snowflake publishes what it publishes locally, column by column.

The stand-ins are reached over their own protocols; both environments start from empty.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from domains.source_systems.__main__ import land
from domains.source_systems.systems import SYSTEMS
from shared_resources.environment import PROJECT_ROOT
from tests.cli.commands import states
from tests.domains.two_environments import Place, described, places, products
from tests.stand_ins import StandIns
from tests.tiny_mesh import failures, tiny_mesh

# What the whole year costs is paid once: these tests stay in one process.
pytestmark = pytest.mark.xdist_group("the year in both environments")
PRODUCTS = products()
SERVERS = [(key, server) for key, servers in PRODUCTS.items() for server in servers]
NAMES = [f"{key} in the {server.value}" for key, server in SERVERS]
# In this order each finds what it reads. They are made in seconds, without dbt and worker processes.
QUICK = (
    "customer/households",
    "customer/contacts",
    "product/catalog",
    "marketing/campaigns",
    "marketing/campaign_households",
    "order/transactions",
    "order/baskets",
)
DAILY = ("order/transactions", "order/baskets")
DAYS = ("2017-01-01", "2017-01-02")


def run_in_process(place: Place, folder: Path) -> None:
    """The quick products of a few days, each in a Dagster run in this process."""
    with place.entered(), tiny_mesh(folder) as mesh:
        for key in QUICK:
            domain, name = key.split("/")
            mesh.domain(domain)
            of_domain = Path("domains", domain)
            shutil.copy(PROJECT_ROOT / of_domain / "domain.yaml", mesh.root / of_domain)
            product = of_domain / "products" / name
            shutil.copytree(PROJECT_ROOT / product, mesh.root / product)
        sent = [key for key in QUICK if key in SYSTEMS]
        land(mesh.environment.landing_zone, len(DAYS), sent)
        for key in QUICK:
            run = mesh.run(key, partitions=DAYS if key in DAILY else ())
            assert run.success, failures(run)


def test_a_few_products_of_a_few_days_agree(stand_ins: StandIns, tmp_path: Path) -> None:
    local, production = places(stand_ins, tmp_path)
    for place in (local, production):
        run_in_process(place, Path(place.variables["MESH_HOME"]).parent)
    for key in QUICK:
        for server in PRODUCTS[key]:
            expected = described(local, key, server)
            assert expected is not None and expected["rows"] > 0
            assert described(production, key, server) == expected, (key, server)


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
