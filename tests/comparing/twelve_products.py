"""A mesh of twelve products around one whose contract says everything, and who uses what of it.

Belongs here: the mesh as files, its agreements, and what the access log says.
Does not belong here: what changes of it do (`test_the_truth_of_changes.py`).

    order/lines      the rich contract; landed
    product/catalog  landed; what `order/lines` refers to
    order/baskets    a function: line_id, price          order/states   a function: state, returned
    shop/sales       a function: every column            shop/paid      a model: joins and filters
    shop/times       a model: two of a star's columns    shop/copies    a model that only dbt can read
    people/weights   a model over a step and a macro     people/visits  refers to product_id
    people/fans      a function, by an agreement         people/buyers  reads order/baskets
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from shared_resources.access.log import LATELY, AccessLog, reading_of
from shared_resources.access.principal import principal_named
from shared_resources.mesh import read_mesh
from shared_resources.mesh.agreements.folder import file_name
from shared_resources.mesh.agreements.model import Agreement, Status
from shared_resources.mesh.agreements.oaas import agreement_text
from tests.contracts.reading import rich
from tests.mesh_files import contract_text, write_central, write_product

LINES, CATALOG = "order/lines", "product/catalog"
NOW = datetime.now(UTC)

_FUNCTION = """\
from shared_resources import data_product, product_input


@data_product({name}=product_input({inputs}))
def {function}({name}):
    return None
"""
FUNCTIONS: dict[str, tuple[str, list[str] | None]] = {
    "order/baskets": (LINES, ["line_id", "price"]),
    "order/states": (LINES, ["state", "returned"]),
    "shop/sales": (LINES, None),
    "people/fans": (LINES, ["product_id", "price"]),
    "people/buyers": ("order/baskets", ["row_id"]),
}
MODELS = {
    "shop/paid": """\
        {# What was paid, by product: of `state` no value is shown. #}
        select lines.product_id as row_id, sum(lines.price) as note
        from {{ source('order', 'lines') }} as lines
        inner join {{ source('product', 'catalog') }} as catalog
            on lines.product_id = catalog.product_id
        where lines.state = 'paid'
        group by lines.product_id
        """,
    "shop/times": """\
        with everything as (select * from {{ source('order', 'lines') }})
        select line_id as row_id, cast(sold_at as varchar) as note from everything
        """,
    "shop/copies": """\
        select {{ dbt_utils.star(from=source('order', 'lines')) }} from {{ source('order', 'lines') }}
        """,
    "people/weights": """\
        select line_id as row_id, {{ grams('weight') }} as note from {{ ref('paid_lines') }}
        """,
}
STEP = "select line_id, weight from {{ source('order', 'lines') }} where paid_on is not null\n"
MACRO = "{% macro grams(column) %}cast(1000 * {{ column }} as varchar){% endmacro %}\n"

# Who uses a column of order/lines, and who has a role: what the truth is made of.
_USERS = """
    line_id     order/baskets shop/sales shop/times shop/copies people/weights shop fin@example.com
    sold_at     shop/sales shop/times shop/copies shop
    product_id  shop/sales shop/paid shop/copies people/visits people/fans shop fin@example.com
    state       order/states shop/sales shop/paid shop/copies shop
    price       order/baskets shop/sales shop/paid shop/copies people/fans shop fin@example.com
    weight      shop/sales shop/copies people/weights shop
    returned    order/states shop/sales shop/copies shop
    paid_on     shop/sales shop/copies people/weights shop
"""
USERS = {line.split()[0]: line.split()[1:] for line in _USERS.strip().splitlines()}
EVERYBODY = [
    *("order/baskets", "order/states", "shop/sales", "shop/paid", "shop/times", "shop/copies"),
    *("people/weights", "people/visits", "people/fans", "shop", "fin@example.com"),
]
HOLDERS = {
    "reader": ["people/fans", "fin@example.com"],
    "auditor": ["shop/sales", "shop/paid", "shop/times", "shop/copies", "shop"],
    "jane": ["fin@example.com"],  # by her role alone: she declares no columns
}
# Who read it lately and says so nowhere: one a column, one whatever there was.
LOOKED = {"agent:planner": ["returned"], "ana@example.com": [*USERS]}


def write_mesh(root: Path) -> Path:
    write_central(root)
    write_product(root, LINES, rich())
    for key in (CATALOG, "people/visits"):
        write_product(root, key, _own(key))
    for key, (read, columns) in FUNCTIONS.items():
        name = read.partition("/")[2]
        given = f'"{read}"' + (f", columns={columns!r}" if columns else "")
        code = _FUNCTION.format(name=name, inputs=given, function=key.partition("/")[2])
        write_product(root, key, contract_text(key), code=code)
    for key, model in MODELS.items():
        write_product(root, key, contract_text(key), model=model)
    project = root / "dbt_project"
    (project / "models" / "people" / "paid_lines.sql").write_text(STEP)
    (project / "macros").mkdir()
    (project / "macros" / "grams.sql").write_text(MACRO)
    _agree(root, "shop", "auditor")
    _agree(root, "people/fans", "reader")
    _agree(root, "fin@example.com", "reader")
    _agree(root, "new@example.com", "auditor", status=Status.REQUESTED)
    _agree(root, "old@example.com", "auditor", ends=NOW - timedelta(days=1))
    assert len(read_mesh(root).products) == 12
    return root


def _own(key: str) -> str:
    said = yaml.safe_load(contract_text(key, landing=True))
    row_id, note = said["schema"][0]["properties"]
    row_id |= {"name": "product_id", "logicalType": "string", "physicalType": "VARCHAR"}
    note["name"] = "state"
    if key != CATALOG:
        to = "order/products/lines/contract.odcs.yaml#/schema/lines/properties/product_id"
        row_id["relationships"] = [{"to": to}]
    return yaml.safe_dump(said, sort_keys=False)


def _agree(
    root: Path,
    who: str,
    role: str,
    status: Status = Status.APPROVED,
    ends: datetime | None = None,
) -> None:
    consumer = principal_named(who).consumers[0]
    file = root / "domains" / "order" / "products" / "lines" / "agreements" / file_name(consumer)
    file.parent.mkdir(exist_ok=True)
    agreement = Agreement(
        *(who, LINES, consumer, "care", status, (role,), file),
        ends=ends,
        decided_by="orders@example.com",
        decided_at=NOW - timedelta(days=9),
    )
    file.write_text(agreement_text(agreement, "order-lines", "1.0.0"))


def write_log(folder: Path) -> AccessLog:
    """What the access log says: a look of long ago counts for nothing, and what a product reads, it
    declares."""
    log = AccessLog(folder)
    for who, columns in LOOKED.items():
        named = None if len(columns) == len(USERS) else columns
        log.begin(reading_of(who, LINES, 1, "lake", named, by="mesh read"))
    log.begin(reading_of("shop", LINES, 1, "lake", None, by="shop/sales"))
    once = reading_of("once@example.com", LINES, 1, "lake", None, by="read()")
    log.begin(replace(once, at=once.at - LATELY - timedelta(hours=1)))
    return log
