"""Views that agreements have given a stock DuckDB, after somebody was erased from what they show."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import yaml

from shared_resources.engines.applying import apply_to, plan_for
from shared_resources.engines.shares import shares_of
from shared_resources.mesh import read_mesh
from tests.access.test_door import PEOPLE, PURPOSES, ROLES, agree, people_contract
from tests.cli.commands import call
from tests.tiny_mesh import TinyMesh, custom, failures

KEY = "crm/people"


@pytest.fixture
def people(mesh: TinyMesh) -> Iterator[TinyMesh]:
    mesh.central(purposes=PURPOSES, open=["public"])
    contract = yaml.safe_load(people_contract("lake", roles=ROLES))
    (key,) = (c for c in contract["schema"][0]["properties"] if c["name"] == "id")
    key["customProperties"] = custom(subject="customer")
    mesh.product(KEY, yaml.safe_dump(contract, sort_keys=False))
    mesh.domain("marketing")
    mesh.land(f"{KEY}/people.parquet", PEOPLE)
    done = mesh.run(KEY)
    assert done.success, failures(done)
    yield mesh


def apply(mesh: TinyMesh) -> Path:
    engine = mesh.environment.engines["duckdb"]
    shares = shares_of(read_mesh(mesh.root), datetime.now(UTC))
    list(apply_to(engine, plan_for(engine, shares, prune=False)))
    return mesh.environment.home / "access" / "views" / "marketing" / "care.duckdb"


def seen(file: Path) -> list[int]:
    with duckdb.connect(file, read_only=True) as connection:
        rows = connection.sql("SELECT id FROM crm.people ORDER BY id").fetchall()
    return [row[0] for row in rows]


# What a keyed hash hides is written into the file; the other is a view of the version's own files.
@pytest.mark.parametrize("role", ["pseudonymous", "everything"])
def test_a_view_shows_an_erased_subject_no_more(people: TinyMesh, role: str) -> None:
    agree(people, "marketing", role)
    file = apply(people)
    assert seen(file) == [1, 2, 3]
    assert call("erase", "--subject", "2").code == 0
    assert seen(file) == [1, 3]


def test_nor_do_rows_stay_for_whose_agreement_is_over(people: TinyMesh) -> None:
    agreement = agree(people, "marketing", "pseudonymous")
    file = apply(people)
    agreement.unlink()
    assert call("erase", "--subject", "2").code == 0
    assert not file.exists()
