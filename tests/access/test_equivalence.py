"""The same terms show the same rows of each store, in each frame: those that are computed here in Python.

The terms are made at random, always the same: columns, masks that fit their types, a condition.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from shared_resources.access.granted_snapshot import GrantedSnapshot, Secrets
from shared_resources.access.grants import Grant
from shared_resources.access.masking_key import hmac_keys
from shared_resources.access.principal import Principal
from shared_resources.access.terms import Terms
from shared_resources.contracts.odcs import read_contract
from shared_resources.contracts.roles.conditions import parse_condition
from shared_resources.contracts.roles.masks import KINDS, QUERY_LOCAL
from shared_resources.contracts.types import ColumnType
from shared_resources.data_products.dbt import process as dbt_process
from shared_resources.data_products.dbt.model import DbtModels
from shared_resources.engines.embedded_views.statements import rows_table, view_of
from shared_resources.engines.shares import Share
from shared_resources.mesh.agreements.model import Consumer
from shared_resources.stores.protocol import ProductStore, Snapshot
from shared_resources.stores.reading.frames import as_frame
from shared_resources.stores.reading.sql_snapshot import SqlSnapshot
from tests.contract_factory import make_contract
from tests.contracts.roles.test_masks import EXPECTED
from tests.contracts.roles.test_masks import KEY as SECRET
from tests.contracts.roles.test_masks import _mask as mask_of
from tests.data_products.dbt_toy import MACROS, PROJECT, write
from tests.stand_ins import StandIns
from tests.stand_ins.servers import environment
from tests.tiny_mesh import TinyMesh, column, contract_text, failures, tiny_mesh

KEY, AGREEMENTS, QUICK = "crm/values", 200, 15
SCHEMA = pa.schema(
    [
        ("id", pa.int64()), ("text", pa.string()), ("wide", pa.int64()), ("narrow", pa.int32()),
        ("share", pa.float64()), ("price", pa.decimal128(10, 2)), ("yes", pa.bool_()),
        ("day", pa.date32()), ("moment", pa.timestamp("us")),
    ]
)  # fmt: skip
PHYSICAL = (
    "BIGINT",
    "VARCHAR",
    "BIGINT",
    "INTEGER",
    "DOUBLE",
    "DOUBLE",
    "BOOLEAN",
    "DATE",
    "TIMESTAMP",
)
VALUES: dict[str, list[Any]] = {
    "text": ["", "a", "abcd", "prashant010696@gmail.com", "Ü😀\n7(x)", "it's", " "],
    "wide": [0, 1, -1, 255, 2**63 - 1, -(2**63)],
    "narrow": [0, 1, -1, 2**31 - 1, -(2**31)],
    "share": [0.0, -0.5, 12.34, 1e300],
    "price": [Decimal("0.00"), Decimal("-0.01"), Decimal("12.34"), Decimal("-99999999.99")],
    "yes": [True, False],
    "day": [date(1, 1, 1), date(1970, 1, 1), date(2024, 2, 29), date(9999, 12, 31)],
    "moment": [
        datetime(1, 1, 1),
        datetime(2024, 7, 15, 23, 59, 59, 999_999),
        datetime(1969, 12, 31),
    ],
}
CONDITIONS: dict[str, Any] = {
    "": lambda row: True,
    "wide >= 0": lambda row: row["wide"] is not None and row["wide"] >= 0,
    "NOT yes": lambda row: row["yes"] is False,
    "day IS NULL": lambda row: row["day"] is None,
    "text = 'it''s'": lambda row: row["text"] == "it's",
    "text LIKE 'a%' OR narrow < 0": lambda row: (
        (row["text"] or "").startswith("a") or (row["narrow"] is not None and row["narrow"] < 0)
    ),
    "price BETWEEN -1.00 AND 12.34": lambda row: (
        row["price"] is not None and Decimal(-1) <= row["price"] <= Decimal("12.34")
    ),
    "moment < '1970-01-01 00:00:00'": lambda row: (
        row["moment"] is not None and row["moment"] < datetime(1970, 1, 1)
    ),
}


def _rows() -> list[dict[str, Any]]:
    made = random.Random(11)
    return [
        {"id": n, **{name: made.choice([*some, None]) for name, some in VALUES.items()}}
        for n in range(40)
    ]


ROWS = _rows()


@contextmanager
def published(folder: Path) -> Iterator[TinyMesh]:
    """The rows as a product of both stores of the environment."""
    with tiny_mesh(folder) as mesh:
        columns = [
            {**column(name, physical), "classification": "restricted"}
            for name, physical in zip(SCHEMA.names, PHYSICAL, strict=True)
        ]
        columns[SCHEMA.names.index("price")]["physicalType"] = "DECIMAL(10,2)"
        landing = {"prefix": KEY, "format": "parquet", "mode": "replace", "object": "*.parquet"}
        text = contract_text(
            KEY, columns, servers=("lake", "warehouse"), properties={"landing": landing}
        )
        mesh.product(KEY, text)
        mesh.land(f"{KEY}/values.parquet", pa.Table.from_pylist(ROWS, SCHEMA))
        done = mesh.run(KEY)
        assert done.success, failures(done)
        yield mesh


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyMesh]:
    with published(tmp_path_factory.mktemp("values")) as mesh:
        yield mesh


@pytest.fixture(scope="module")
def in_production(
    stand_ins: StandIns, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TinyMesh]:
    folder = tmp_path_factory.mktemp("production")
    variables = {**stand_ins.fresh(), "MESH_MASKING_KEY": SECRET.decode()}
    with environment(variables), published(folder) as mesh:
        yield mesh


@cache
def types_of(folder: Path) -> dict[str, ColumnType]:
    return {one.name: one.type for one in read_contract(folder / "contract.odcs.yaml").columns}


def terms(number: int, types: dict[str, ColumnType]) -> tuple[Terms, str]:
    made = random.Random(number)
    others = made.sample(sorted(VALUES), made.randint(1, len(VALUES)))
    columns = ("id", *others)
    masks = {}
    for name in others:
        fitting = [k for k in KINDS if types[name].family in KINDS[k].families and k != QUERY_LOCAL]
        kind = made.choice([None, *fitting])
        if kind is not None:
            masks[name] = mask_of(kind)
    text = made.choice(list(CONDITIONS))
    rows = (parse_condition(text, types),) if text else ()
    return Terms(columns, masks, rows), text


def expected(given: Terms, text: str, types: dict[str, ColumnType]) -> list[dict[str, Any]]:
    def shown(name: str, value: Any) -> Any:
        mask = given.masks.get(name)
        return value if mask is None or value is None else EXPECTED[mask.kind](value, types[name])

    return [
        {name: shown(name, row[name]) for name in given.columns}
        for row in ROWS
        if CONDITIONS[text](row)
    ]


def by_id(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: row["id"])


def granted(
    mesh: TinyMesh, number: int, store: ProductStore
) -> tuple[GrantedSnapshot, list[dict[str, Any]]]:
    """The version behind the agreement of this number, and the rows that it is to show."""
    types = types_of(mesh.root / "domains" / "crm" / "products" / "values")
    given, text = terms(number, types)
    secret = Secrets(*hmac_keys(mesh.environment))
    grant = Grant(KEY, Principal("marketing"), given)
    shown = GrantedSnapshot(store.open(KEY), grant, secret, lambda _: lambda _: None)
    return shown, expected(given, text, types)


EACH = pytest.mark.parametrize(
    "number",
    [
        *range(QUICK),
        *(pytest.param(n, marks=pytest.mark.slow) for n in range(QUICK, AGREEMENTS)),
    ],
)


@EACH
def test_the_same_terms_show_the_same_rows_everywhere(
    values: TinyMesh, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setenv("MESH_MASKING_KEY", SECRET.decode())
    contract = values.root / "domains" / "crm" / "products" / "values" / "contract.odcs.yaml"
    given, _ = terms(number, types_of(contract.parent))
    for store in values.environment.stores.values():
        shown, wanted = granted(values, number, store)
        schema = pa.schema([SCHEMA.field(name) for name in shown.schema.names])
        table: pa.Table = as_frame(shown, pa.Table)
        assert (table.schema.names, table.schema.types) == (schema.names, schema.types)
        assert by_id(table.to_pylist()) == wanted
        assert by_id(as_frame(shown, pa.RecordBatchReader).read_all().to_pylist()) == wanted
        assert by_id(as_frame(shown, pl.DataFrame).to_dicts()) == wanted
        assert by_id(as_frame(shown, pl.LazyFrame).collect().to_dicts()) == wanted
        frame = as_frame(shown, None)
        again = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
        assert by_id(again.to_pylist()) == wanted
        assert by_id(in_a_view(contract, store.open(KEY), given, shown)) == wanted


def in_a_view(
    contract: Path, whole: Snapshot, given: Terms, shown: GrantedSnapshot
) -> list[dict[str, Any]]:
    """What a view for a stock DuckDB shows of it, on a connection that knows nothing else."""
    share = Share(
        read_contract(contract),
        Consumer("marketing"),
        "care",
        "id",
        (),
        given,
        ends=datetime(9999, 1, 1, tzinfo=UTC),
    )
    assert isinstance(whole, SqlSnapshot)
    view = view_of(share, whole, SECRET)
    with duckdb.connect() as connection:
        for statement in view.prepared():
            connection.execute(statement)
        if view.rows:
            rows = shown.batches().read_all()
            connection.register("rows", rows)
            connection.execute(f"INSERT INTO {rows_table(view.rows)} FROM rows")
        connection.execute(view.sql)
        return list(connection.sql("FROM crm.values").to_arrow_table().to_pylist())


@EACH
def test_they_show_them_of_s3_and_of_snowflake(in_production: TinyMesh, number: int) -> None:
    assert in_production.environment.is_production
    for store in in_production.environment.stores.values():
        shown, wanted = granted(in_production, number, store)
        table: pa.Table = as_frame(shown, pa.Table)
        assert table.schema.types == [SCHEMA.field(name).type for name in table.schema.names]
        assert by_id(table.to_pylist()) == wanted


def models_show_them(mesh: TinyMesh, numbers: range) -> None:
    """One dbt project, and one invocation of dbt, with a model for each agreement."""
    domain = f"near_{numbers.start}_{numbers.stop}"
    folder = mesh.domain(domain).parents[1]
    write(folder, "dbt_project.yml", PROJECT)
    for macros in MACROS:
        write(folder, f"macros/{macros.name}", macros.read_text(encoding="utf-8"))
    inputs, wanted = {}, {}
    store = next(iter(mesh.environment.stores.values()))
    for number in numbers:
        inputs[f"crm/v{number}"], wanted[number] = granted(mesh, number, store)
        (folder / "domains" / "crm" / "products" / f"v{number}").mkdir(exist_ok=True)
        text = f"select * from {{{{ source('crm', 'v{number}') }}}}"
        write(folder, f"models/{domain}/m{number}.sql", text)
    models, target = DbtModels(mesh.environment), mesh.environment.dbt_target
    nodes = [n for n in models.manifest(domain)["nodes"].values() if n["name"][0] == "m"]
    selected = ["fqn:" + ".".join(node["fqn"]) for node in nodes]
    of = make_contract(domain=domain, name="m")
    with models._run_folder(of, "run-1") as run, target.scratch(run, inputs) as scratch:
        dbt_process.build(run, target, scratch.variables, selected, ())
        manifest = json.loads((run / "target" / "manifest.json").read_text())
        with scratch.opened() as built:
            for node in nodes:
                number = int(node["name"][1:])
                relation = manifest["nodes"][node["unique_id"]]["relation_name"]
                columns = tuple(inputs[f"crm/v{number}"].schema.names)
                rows = built.read(relation, columns).read_all().rename_columns(columns)
                table = rows.cast(pa.schema([SCHEMA.field(name) for name in columns]))
                assert by_id(table.to_pylist()) == wanted[number]
    assert len(nodes) == len(numbers)


def test_models_of_dbt_are_shown_them(values: TinyMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_MASKING_KEY", SECRET.decode())
    models_show_them(values, range(QUICK))


@pytest.mark.slow
def test_models_of_dbt_are_shown_them_by_every_agreement(
    values: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_MASKING_KEY", SECRET.decode())
    models_show_them(values, range(QUICK, AGREEMENTS))


@pytest.mark.slow
def test_models_of_dbt_on_snowflake_are_shown_them(in_production: TinyMesh) -> None:
    models_show_them(in_production, range(QUICK))
