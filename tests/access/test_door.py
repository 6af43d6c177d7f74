"""The door: what each reader sees of a version, on both stores, and what he is told instead."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import yaml

from shared_resources import read
from shared_resources.access.door import Reader, open_for
from shared_resources.access.granted_snapshot import GrantedSnapshot
from shared_resources.access.grants import NoAgreement, grant_of
from shared_resources.access.log import log_of
from shared_resources.access.principal import NoPrincipal, Principal, principal_named
from shared_resources.contracts.promise import Break
from shared_resources.data_products.compared.consumers import consumers_hit
from shared_resources.environment import Environment
from shared_resources.mesh import read_whole_mesh
from shared_resources.mesh.agreements.model import Agreement, Status
from shared_resources.mesh.agreements.oaas import agreement_text
from shared_resources.observing.product_health import Observer
from shared_resources.running.selection import product_folder
from shared_resources.running.unchanged import Unchanged
from shared_resources.stores.opening import open_product
from tests.cli.commands import call
from tests.tiny_mesh import TinyMesh, column, contract_text, custom

NOW = datetime.now(UTC)
ROLES = {
    "pseudonymous": {
        "columns": ["id", "email", "born", "region"],
        "masks": {"email": "keyed-hash", "born": "truncate-to-year"},
    },
    "north": {"columns": ["id", "region"], "rows": "region = 'north'"},
    "south": {"columns": ["id", "region"], "rows": "region = 'south'"},
    "amounts": {"columns": ["id", "spent"], "masks": {"spent": {"generalise": 10}}},
    "everything": {},
}
PURPOSES = {
    "research": {"description": "To learn.", "classifications": ["public", "internal"]},
    "care": {
        "description": "To help.",
        "classifications": ["public", "internal", "confidential", "restricted"],
    },
}
PEOPLE = pa.table(
    {
        "id": [1, 2, 3],
        "email": ["ann@example.com", None, "cy@example.com"],
        "born": [datetime(1990, 5, 17).date(), datetime(1985, 1, 2).date(), None],
        "region": ["north", "south", None],
        "spent": [Decimal("12.34"), Decimal("-1.00"), None],
    }
).cast(
    pa.schema(
        [
            ("id", pa.int64()),
            ("email", pa.string()),
            ("born", pa.date32()),
            ("region", pa.string()),
            ("spent", pa.decimal128(10, 2)),
        ]
    )
)


def people_contract(*servers: str, roles: dict[str, Any] | None = None) -> str:
    text = contract_text(
        "crm/people",
        [
            column("id", required=True),
            column("email", "VARCHAR", classification="restricted"),
            column("born", "DATE", classification="confidential"),
            column("region", "VARCHAR"),
            {**column("spent", "DOUBLE"), "physicalType": "DECIMAL(10,2)"},
        ],
        servers=servers or ("lake",),
        properties={
            "landing": {
                "prefix": "crm/people",
                "format": "parquet",
                "mode": "replace",
                "object": "*.parquet",
            },
        },
    )
    said = yaml.safe_load(text)
    said["roles"] = [
        {"role": name, **({"customProperties": custom(**sees)} if sees else {})}
        for name, sees in (ROLES if roles is None else roles).items()
    ]
    return yaml.safe_dump(said, sort_keys=False)


def agree(
    mesh: TinyMesh,
    consumer: str,
    *roles: str,
    purpose: str = "care",
    status: Status = Status.APPROVED,
    by: str = "crm@example.com",
    **moments: Any,
) -> Path:
    """An agreement about crm/people, as its file."""
    from shared_resources.mesh.agreements.folder import file_name

    principal = principal_named(consumer)
    folder = mesh.root / "domains" / "crm" / "products" / "people" / "agreements"
    folder.mkdir(exist_ok=True)
    who = principal.consumers[0]
    first = folder / file_name(who)
    file = folder / file_name(who, purpose) if first.exists() else first
    agreement = Agreement(
        file.name, "crm/people", who, purpose, status, roles, file,
        decided_by=by, decided_at=NOW - timedelta(days=1), **moments,
    )  # fmt: skip
    file.write_text(agreement_text(agreement, "crm-people", "1.0.0"))
    return file


@pytest.fixture(params=["lake", "warehouse"])
def people(mesh: TinyMesh, request: pytest.FixtureRequest) -> Iterator[TinyMesh]:
    mesh.central(purposes=PURPOSES, open=["public"])
    mesh.product("crm/people", people_contract(request.param))
    mesh.domain("marketing")
    mesh.land("crm/people/people.parquet", PEOPLE)
    assert mesh.run("crm/people").success
    yield mesh


def _rows(environment: Environment, who: str, purpose: str | None = None) -> list[dict[str, Any]]:
    snapshot = open_for(environment, "crm/people", Reader(principal_named(who), purpose))
    rows: list[dict[str, Any]] = snapshot.batches().read_all().to_pylist()
    return rows


def test_who_has_no_agreement_sees_no_row_and_is_told_what_to_ask_for(people: TinyMesh) -> None:
    with pytest.raises(NoAgreement) as raised:
        _rows(people.environment, "marketing")
    assert "mesh access request crm/people --as marketing --role pseudonymous" in str(raised.value)


def test_the_owner_sees_the_product_whole(people: TinyMesh) -> None:
    for owner in ("crm", "crm/other", "crm@example.com", "CRM@example.com"):
        assert _rows(people.environment, owner) == PEOPLE.to_pylist()


def test_an_agreement_shows_its_columns_behind_its_masks(people: TinyMesh) -> None:
    agree(people, "marketing", "pseudonymous")
    key = people.environment.home / "access" / "masking.key"

    rows = _rows(people.environment, "marketing")

    secret = key.read_bytes()
    assert [row["email"] for row in rows] == [
        hmac.new(secret, b"ann@example.com", "sha256").hexdigest(),
        None,
        hmac.new(secret, b"cy@example.com", "sha256").hexdigest(),
    ]
    assert [row["born"] for row in rows] == [
        datetime(1990, 1, 1).date(),
        datetime(1985, 1, 1).date(),
        None,
    ]
    assert list(rows[0]) == ["id", "email", "born", "region"]


def test_a_role_with_a_condition_shows_the_rows_for_which_it_is_true(people: TinyMesh) -> None:
    agree(people, "marketing", "north")
    assert [row["id"] for row in _rows(people.environment, "marketing")] == [1]


def test_roles_of_the_same_columns_add_their_rows(people: TinyMesh) -> None:
    agree(people, "marketing", "north", "south")
    assert [row["id"] for row in _rows(people.environment, "marketing")] == [1, 2]


def test_roles_of_the_same_rows_add_their_columns(people: TinyMesh) -> None:
    agree(people, "marketing", "pseudonymous", "amounts")
    rows = _rows(people.environment, "marketing")
    assert list(rows[0]) == ["id", "email", "born", "region", "spent"]
    assert [row["spent"] for row in rows] == [Decimal("10.00"), Decimal("-10.00"), None]


def test_roles_that_would_show_what_neither_shows_are_not_granted_together(
    people: TinyMesh,
) -> None:
    agree(people, "marketing", "north", "amounts")
    with pytest.raises(NoAgreement, match="differ in their rows and in what they show"):
        _rows(people.environment, "marketing")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": Status.REQUESTED}, "is requested, and not approved"),
        ({"status": Status.REJECTED}, "was rejected by crm@example.com"),
        ({"ends": NOW - timedelta(seconds=1)}, "ended"),
        ({"starts": NOW + timedelta(hours=1)}, "starts"),
        ({"by": "marketing@example.com"}, "does not own the product"),
        ({"by": ""}, "does not say by whom"),
        ({"purpose": "research"}, "it shows what is restricted"),
        ({"purpose": "gossip"}, "the purpose 'gossip' does not exist"),
        (
            {"starts": NOW - timedelta(days=1), "ends": NOW - timedelta(days=2)},
            "it ends before it starts",
        ),
    ],
)
def test_an_agreement_that_is_not_in_force_shows_nothing(
    people: TinyMesh, changes: dict[str, Any], said: str
) -> None:
    agree(people, "marketing", "everything", **changes)
    with pytest.raises(NoAgreement, match=said):
        _rows(people.environment, "marketing")


def test_an_unknown_role_shows_nothing(people: TinyMesh) -> None:
    agree(people, "marketing", "admin")
    with pytest.raises(NoAgreement, match="has no role 'admin'"):
        _rows(people.environment, "marketing")


def test_an_agreement_ends_between_two_reads(people: TinyMesh) -> None:
    file = agree(people, "marketing", "north")
    assert _rows(people.environment, "marketing")
    file.unlink()
    with pytest.raises(NoAgreement):
        _rows(people.environment, "marketing")


def test_the_agreement_of_a_product_serves_it_before_that_of_its_domain(people: TinyMesh) -> None:
    agree(people, "marketing", "north")
    agree(people, "marketing/campaigns", "south")
    assert [row["id"] for row in _rows(people.environment, "marketing/campaigns")] == [2]
    assert [row["id"] for row in _rows(people.environment, "marketing/other")] == [1]


def test_of_several_agreements_the_purpose_chooses(people: TinyMesh) -> None:
    agree(people, "marketing", "everything", purpose="care")
    agree(people, "marketing", "north", purpose="research")
    with pytest.raises(NoAgreement, match="say for which, care or research"):
        _rows(people.environment, "marketing")
    assert [row["id"] for row in _rows(people.environment, "marketing", "research")] == [1]
    assert len(_rows(people.environment, "marketing", "care")) == 3


def test_a_person_and_an_agent_are_served_by_their_own_agreements(people: TinyMesh) -> None:
    agree(people, "jane@example.com", "north")
    agree(people, "agent:shopper", "south")
    assert [row["id"] for row in _rows(people.environment, "jane@example.com")] == [1]
    assert [row["id"] for row in _rows(people.environment, "agent:shopper")] == [2]
    with pytest.raises(NoAgreement):
        _rows(people.environment, "jane-example-com@x.org")


def test_what_is_open_is_read_without_an_agreement(people: TinyMesh) -> None:
    people.central(purposes=PURPOSES, open=["public", "internal"])
    assert list(_rows(people.environment, "marketing")[0]) == ["id", "region", "spent"]


@pytest.mark.parametrize("role", ["pseudonymous", "north", "amounts", "everything"])
def test_the_same_rows_come_in_every_frame(people: TinyMesh, role: str) -> None:
    agree(people, "marketing", role)
    there = people.environment

    def given(as_type: Any) -> Any:
        return read("crm/people", as_type=as_type, as_principal="marketing")

    arrow: pa.Table = given(pa.Table)
    assert arrow.num_rows and there.home.is_dir()
    assert given(pa.RecordBatchReader).read_all().equals(arrow)
    assert given(pl.DataFrame).to_dicts() == arrow.to_pylist()
    assert given(pl.LazyFrame).collect().to_dicts() == arrow.to_pylist()
    frame = given(pd.DataFrame)
    assert list(frame.columns) == arrow.schema.names and len(frame) == arrow.num_rows


def test_a_column_that_is_not_granted_is_refused_by_name(people: TinyMesh) -> None:
    agree(people, "marketing", "north")
    with pytest.raises(NoAgreement, match=r"may not read email of crm/people"):
        read("crm/people", columns=["id", "email"], as_principal="marketing")
    snapshot = open_for(people.environment, "crm/people", Reader(Principal("marketing")))
    with pytest.raises(KeyError, match="shows its reader no column email"):
        snapshot.batches(["email"])


def test_an_old_version_is_shown_by_the_agreement_of_today(people: TinyMesh) -> None:
    agree(people, "marketing", "everything")
    changed = PEOPLE.set_column(3, "region", pa.array(["south", "south", "north"]))
    people.land("crm/people/people.parquet", changed)
    assert people.run("crm/people").success
    agree(people, "marketing", "north", purpose="research")

    old = open_for(people.environment, "crm/people", Reader(Principal("marketing"), "research"), 1)
    new = open_for(people.environment, "crm/people", Reader(Principal("marketing"), "research"), 2)

    assert old.batches().read_all()["id"].to_pylist() == [1]
    assert new.batches().read_all()["id"].to_pylist() == [3]


def test_whoever_reads_is_noted_with_what_he_read(people: TinyMesh) -> None:
    agree(people, "marketing", "north")
    read("crm/people", columns=["id"], as_principal="marketing")
    read("crm/people", as_principal="crm")
    with pytest.raises(NoAgreement):
        read("crm/people", as_principal="finance")

    noted = [one for one in log_of(people.environment.home).readings() if one.by == "read()"]

    first, second = noted
    assert (first.who, first.columns, first.rows) == ("marketing", ("id",), 1)
    assert (first.purpose, first.product, first.version) == ("care", "crm/people", 1)
    assert (second.who, second.columns) == ("crm", None)


def test_who_operates_an_embedded_mesh_sees_it_whole_and_is_named(
    people: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(read("crm/people")) == 3
    monkeypatch.setenv("MESH_PRINCIPAL", "marketing")
    with pytest.raises(NoAgreement):
        read("crm/people")
    with pytest.raises(NoPrincipal):
        read("crm/people", as_principal="Jane Doe")


def _told(people: TinyMesh) -> list[str]:
    product = product_folder(people.environment, "marketing/near")
    return [str(one) for one in Observer(people.environment).observe(product).health.reasons]


def test_a_product_reads_its_inputs_by_its_agreement(people: TinyMesh) -> None:
    file = agree(people, "marketing", "north")
    people.product(
        "marketing/near",
        contract_text("marketing/near", [column("id")]),
        """
        import polars as pl
        from shared_resources import data_product

        @data_product(people="crm/people")
        def near(people: pl.LazyFrame) -> pl.LazyFrame:
            assert people.collect_schema().names() == ["id", "region"]
            return people.select("id")
        """,
    )
    run = people.run("marketing/near")
    assert run.success
    assert people.rows("marketing/near") == [{"id": 1}]
    (event,) = run.get_asset_materialization_events()
    shown = event.materialization.metadata
    assert shown["agreements"].value == {
        "crm/people": "marketing as north, for care; approved by crm@example.com, "
        "agreement marketing.oaas.yaml"
    }

    version = open_product(people.environment, "marketing/near").version
    agreement, _, digest = version.evidence.grants["crm/people"].partition(":")
    assert (agreement, len(digest)) == ("marketing.oaas.yaml", 64)

    (proof,) = call("evidence", "marketing/near", "--json").json
    assert shown["attestation"].value == proof["versions"][0]["attestation"]
    (attested,) = proof["versions"][0]["agreements"]
    named = ("id", "digest", "consumer", "roles", "purpose", "approver")
    assert [attested[name] for name in named] == [
        agreement, digest, "marketing", ["north"], "care", "crm@example.com"
    ]  # fmt: skip
    printed = call("evidence", "marketing/near", "--version", "1").out
    assert "granted crm/people to marketing as north for care, agreement" in printed

    assert _told(people) == []
    for moments, said in (
        ({"ends": NOW + timedelta(days=3)}, "ends on"),
        ({"ends": NOW - timedelta(days=3)}, "ended on"),
        ({"reassessment": NOW - timedelta(days=3)}, "was to be looked at again by"),
    ):
        file.unlink()
        agree(people, "marketing", "north", **moments)
        (told,) = _told(people)
        assert told.startswith("agreement: the agreement by which it reads crm/people " + said)
    file.unlink()
    agree(people, "marketing", "north")

    again = Unchanged(people.environment, product_folder(people.environment, "marketing/near"))
    assert not [why for why in again._reasons(None) if "agreement" in why]
    agree(people, "marketing/near", "south")
    again = Unchanged(people.environment, product_folder(people.environment, "marketing/near"))
    assert "its agreement shows other things of crm/people" in [*again._reasons(None)]


def test_a_product_without_an_agreement_does_not_load_and_says_which_it_needs(
    people: TinyMesh,
) -> None:
    from shared_resources.governance.stopped import stopped_products

    people.product(
        "marketing/near",
        contract_text("marketing/near", [column("id")]),
        """
        from shared_resources import data_product, product_input

        @data_product(people=product_input("crm/people", columns=["id", "email"]))
        def near(people):
            return people[["id"]]
        """,
    )
    mesh = read_whole_mesh(people.environment)
    why = stopped_products(mesh, mesh.domain("marketing"))["marketing/near"]
    assert "mesh access request crm/people --as marketing/near" in str(why)

    agree(people, "marketing", "north")
    mesh = read_whole_mesh(people.environment)
    why = stopped_products(mesh, mesh.domain("marketing"))["marketing/near"]
    assert "may not read email of crm/people" in str(why)


def test_what_is_behind_the_door_is_reached_by_no_attribute(people: TinyMesh) -> None:
    from shared_resources.stores.protocol import ProductStore
    from shared_resources.stores.reading.sql_snapshot import SqlSnapshot

    agree(people, "marketing", "north")
    snapshot = open_for(people.environment, "crm/people", Reader(Principal("marketing")))
    assert isinstance(snapshot, GrantedSnapshot)
    seen: set[int] = set()
    waiting: list[Any] = [snapshot]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        assert not isinstance(one, SqlSnapshot), "a raw snapshot is an attribute of a granted one"
        assert not hasattr(type(one), "staging_folder"), ProductStore
        waiting += list(getattr(one, "__dict__", {}).values())
        waiting += list(one.values()) if isinstance(one, dict) else []


def test_a_grant_says_nothing_of_a_product_that_nobody_knows(people: TinyMesh) -> None:
    with pytest.raises(NoAgreement, match="nothing here says who may"):
        grant_of(people.environment, "crm/nothing", Principal("marketing"))


def test_a_break_hits_whom_an_agreement_shows_the_column(people: TinyMesh) -> None:
    agree(people, "jane@example.com", "north")
    agree(people, "marketing", "pseudonymous")
    agree(people, "finance", "everything", status=Status.REQUESTED)
    mesh = read_whole_mesh(people.environment)
    assert consumers_hit(mesh, "crm/people", [Break(("region",), "gone")]) == {
        "jane@example.com": ("region",),
        "marketing": ("region",),
    }
    assert consumers_hit(mesh, "crm/people", [Break(("email",), "gone")]) == {
        "marketing": ("email",)
    }


@pytest.mark.parametrize("product", ["crm/../ops/orders", "crm", "crm/", "crm/a/b", "crm/Orders\n"])
def test_what_is_no_products_key_is_nobodys_to_see(mesh: TinyMesh, product: str) -> None:
    for who in (Principal(domain="crm"), Principal(operator=True)):
        with pytest.raises(NoAgreement, match="is no product key"):
            grant_of(mesh.environment, product, who)
