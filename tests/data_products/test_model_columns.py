"""Which columns of its inputs a dbt model reads, from its text alone; all where it does not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.data_products.compared.downstream import made_from
from shared_resources.data_products.compared.model_columns import columns_read, made_from_columns
from shared_resources.mesh import Mesh, read_mesh
from tests.mesh_files import contract_text, write_product

LINES, SHOPS, MODEL = "order/lines", "order/shops", "order/daily"
_LINES, _SHOPS = "{{ source('order', 'lines') }}", "{{ ref('shops') }}"
ALL = None
# The model, and what it reads of order/lines, whose columns are row_id, note, amount and day.
STATEMENTS: dict[str, tuple[str, tuple[str, ...] | None]] = {
    "by name": (f"select row_id, note from {_LINES}", ("note", "row_id")),
    "in other letters": (f'select ROW_ID, "note" from {_LINES}', ("note", "row_id")),
    "to filter": (f"select row_id from {_LINES} where amount > 1", ("amount", "row_id")),
    "to group and to order": (
        f"select sum(amount) as row_id from {_LINES} group by note order by note",
        ("amount", "note"),
    ),
    "to join": (
        f"select s.row_id from {_LINES} as l inner join {_SHOPS} as s on l.note = s.note",
        ("note",),
    ),
    "to join by its name alone": (
        f"select note, row_id from {_LINES} as l inner join {_SHOPS} as s using (row_id)",
        ("note", "row_id"),
    ),
    "without saying of which": (
        f"select l.note, amount from {_LINES} as l inner join {_SHOPS} as s on l.row_id = s.row_id",
        ("amount", "note", "row_id"),
    ),
    "for a window": (
        f"select row_id, row_number() over (partition by note order by day) as note from {_LINES}",
        ("day", "note", "row_id"),
    ),
    "in a query within": (
        f"select row_id from {_SHOPS} as s where exists (select 1 from {_LINES} as l "
        "where l.note = s.note)",
        ("note",),
    ),
    "some of a star": (
        f"with everything as (select * from {_LINES}) select row_id from everything",
        ("row_id",),
    ),
    "some of a star that is renamed": (
        f"with everything as (select l.* from {_LINES} as l), kept as (select * from everything "
        "where amount > 1) select row_id as note from kept",
        ("amount", "row_id"),
    ),
    "what a star leaves": (f"select * exclude (note, day) from {_LINES}", ("amount", "row_id")),
    "all of a star": (f"select * from {_LINES}", ("amount", "day", "note", "row_id")),
    "all of a star of one": (
        f"select l.* from {_LINES} as l inner join {_SHOPS} as s on l.row_id = s.row_id",
        ("amount", "day", "note", "row_id"),
    ),
    "both of a union": (
        f"select row_id from {_LINES} union all select amount from {_LINES}",
        ("amount", "row_id"),
    ),
    "none": (f"select count(*) as row_id from {_LINES}", ()),
    "its row": (f"select lines as note from {_LINES} as lines", ALL),
    "by a pattern": (f"select columns('n.*') from {_LINES}", ALL),
    "by natural join": (f"select 1 as row_id from {_LINES} natural join {_SHOPS}", ("note", "row_id")),
    "through a step": ("select row_id from {{ ref('kept') }}", ("amount", "row_id")),
    "by a macro of the project": (f"select {{{{ cents('amount') }}}} as note from {_LINES}", ("amount",)),
    "by a macro of dbt": (
        f"select {{{{ dbt.concat(['note', 'day']) }}}} as note, cast(row_id as {{{{ dbt.type_int() }}}}) "
        f"as row_id from {_LINES}",
        ("day", "note", "row_id"),
    ),
    "in a loop": (
        "select {% for one in ['row_id', 'note'] %}{{ one }}{{ ',' if not loop.last }}{% endfor %} "
        f"from {_LINES}",
        ("note", "row_id"),
    ),
    "with settings": (f"{{{{ config(materialized='table') }}}} select note from {_LINES}", ("note",)),
    "by a macro of a package": (f"select {{{{ dbt_utils.star(1) }}}} from {_LINES}", ALL),
    "by a macro that is none here": (f"select {{{{ dollars('amount') }}}} from {_LINES}", ALL),
    "by a variable": (f"select {{{{ var('column') }}}} from {_LINES}", ALL),
    "of a model of a package": (f"select note from {_LINES}, {{{{ ref('package', 'x') }}}}", ALL),
    "in what is no SQL": (f"selected note of {_LINES}", ALL),
    "in what is no Jinja": (f"select note from {_LINES} {{% if %}}", ALL),
    "through a step that is not there": (f"select note from {_LINES}, {{{{ ref('nothing') }}}}", ALL),
    "through itself": (f"select note from {_LINES}, {{{{ ref('round') }}}}", ALL),
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mesh")
    more = "".join(
        f"      - {{name: {name}, logicalType: {of}, description: A., classification: internal}}\n"
        for name, of in (("amount", "number"), ("day", "date"))
    )
    text = contract_text(LINES, landing=True)
    write_product(root, LINES, text.replace("customProperties:", f"{more}customProperties:"))
    write_product(root, SHOPS)
    write_product(root, MODEL, model="select 1 as row_id")
    models = root / "dbt_project" / "models" / "order"
    (models / "steps").mkdir()
    (models / "steps" / "kept.sql").write_text(f"select * from {_LINES} where amount > 1")
    (models / "steps" / "round.sql").write_text("select * from {{ ref('round') }}")
    (root / "dbt_project" / "macros").mkdir()
    (root / "dbt_project" / "macros" / "all.sql").write_text(
        "{# Money. #}\n{% macro cents(amount) %}cast({{ amount }} as decimal(9, 2)){% endmacro %}\n"
        "{% macro dollars(amount) %}{% nothing %}{% endmacro %}\n"
        "{% materialization view, adapter='snowflake' %}{% endmaterialization %}\n"
    )
    return root


def _with(root: Path, model: str) -> Mesh:
    (root / "dbt_project" / "models" / "order" / "daily.sql").write_text(model)
    return read_mesh(root)


@pytest.mark.parametrize(("model", "read"), STATEMENTS.values(), ids=STATEMENTS)
def test_a_model_reads_the_columns_that_its_text_says(
    root: Path, model: str, read: tuple[str, ...] | None
) -> None:
    mesh = _with(root, model)
    assert columns_read(mesh, mesh.product(MODEL), LINES) == read


def test_a_column_that_is_gone_is_read_by_who_names_it(root: Path) -> None:
    mesh = _with(root, f"select gone, l.row_id from {_LINES} as l, {_SHOPS} as s")
    model = mesh.product(MODEL)
    assert columns_read(mesh, model, LINES, ["gone"]) == ("gone", "row_id")
    assert columns_read(mesh, model, LINES, ["lost"]) == ("row_id",)
    # Nobody says of which of the two it was.
    assert "gone" in (columns_read(mesh, model, SHOPS, ["gone"]) or ())


def test_a_product_whose_contract_is_not_valid_has_columns_that_nobody_knows(root: Path) -> None:
    mesh = _with(root, f"select s.*, l.note from {_LINES} as l, {_SHOPS} as s")
    file = root / "domains" / "order" / "products" / "lines" / "contract.odcs.yaml"
    text = file.read_text()
    file.write_text(text.replace("status: active", "status: lively"))
    try:
        mesh = read_mesh(root)
        assert columns_read(mesh, mesh.product(MODEL), LINES, ["note"]) == ("note",)
        starred = _with(root, f"select * from {_LINES}")
        assert columns_read(starred, starred.product(MODEL), LINES, ["note"]) == ("note",)
    finally:
        file.write_text(text)


def test_what_is_no_model_says_nothing(root: Path) -> None:
    mesh = _with(root, "select 1 as row_id")
    assert columns_read(mesh, mesh.product(SHOPS), LINES) is None
    assert columns_read(mesh, mesh.product(MODEL), LINES) is None
    assert made_from_columns(mesh, mesh.product(SHOPS), {}) == {}


def test_what_is_made_from_a_column_is_known_from_the_statement(root: Path) -> None:
    mesh = _with(
        root, f"select row_id + amount as row_id, note from {_LINES} where day > '2026-01-01'"
    )
    assert made_from_columns(mesh, mesh.product(MODEL), {}) == {
        "row_id": {(LINES, "row_id"), (LINES, "amount")},
        "note": {(LINES, "note")},
    }
    assert made_from(mesh, LINES, ["amount"]) == {MODEL: ("row_id",)}
    assert made_from(mesh, LINES, ["day"]) == {}
    assert made_from(_with(root, f"selected {_LINES}"), LINES, ["amount"]) == {}
