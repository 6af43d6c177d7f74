"""A new product that asks a database: it runs as it is, and its address stands in no file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from shared_resources.governance.catalogue import check_domain
from shared_resources.inference.infer import infer_table
from shared_resources.mesh import ProductKind, read_mesh
from shared_resources.scaffolding.beginnings import Beginning
from shared_resources.scaffolding.new_files import NotMade
from shared_resources.scaffolding.new_product import NewProduct, make_product
from shared_resources.scaffolding.source import with_variable
from tests.scaffolding.formatted import as_formatted
from tests.tiny_mesh import TinyMesh, failures

VARIABLE = "SOURCE_ORDER_RETURNS_ADDRESS"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "shop.db"
    with sqlite3.connect(file) as connection:
        connection.execute("create table returns (row_id integer primary key, remark varchar)")
        connection.execute("insert into returns values (1, 'broken'), (2, null)")
        connection.execute(
            'create table "All of It" ("Order No" bigint primary key, day date, at timestamp, '
            "amount numeric(10, 2), share float, is_open boolean, unused varchar(5))"
        )
        connection.execute(
            "insert into \"All of It\" values (7, '2024-01-31', '2024-01-31 10:00:00', 2.50, 0.5, "
            "true, null), (8, '2024-02-01', '2024-02-01 00:00:00', 3.25, 1.5, false, null)"
        )
    return file


def findings(mesh: TinyMesh) -> list[str]:
    read = read_mesh(mesh.root)
    return [str(one) for domain in read.domains for one in check_domain(domain, read).findings]


def test_it_publishes_what_the_table_holds_as_it_is(
    mesh: TinyMesh, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh.domain("order")
    made = make_product(mesh.root, NewProduct("order/returns", Beginning.SOURCE, "A return."))
    assert findings(mesh) == []
    read = read_mesh(mesh.root)
    assert read.product("order/returns").kind is ProductKind.FUNCTION
    assert read.domain("order").environment == (VARIABLE,)
    refused = mesh.run("order/returns")
    assert not refused.success and f"{VARIABLE} is not set" in str(failures(refused))
    monkeypatch.setenv(VARIABLE, f"sqlite:///{shop}")
    done = mesh.run("order/returns")
    assert done.success, failures(done)
    assert mesh.rows("order/returns") == [
        {"row_id": 1, "remark": "broken"},
        {"row_id": 2, "remark": None},
    ]
    code = [file for file in made if file.suffix == ".py"]
    as_formatted(code)


def test_what_was_inferred_of_a_table_is_asked_of_it(
    mesh: TinyMesh, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh.domain("order", environment=["A_TOKEN"])
    found = infer_table(f"sqlite:///{shop}#All of It")
    make_product(
        mesh.root,
        NewProduct("order/returns", Beginning.SOURCE, "A return.", (), "csv", found, "All of It"),
    )
    assert findings(mesh) == []
    contract = read_mesh(mesh.root).product("order/returns").contract
    assert contract is not None and contract.landing is None
    assert contract.primary_key == ("order_no",)
    assert read_mesh(mesh.root).domain("order").environment == (VARIABLE, "A_TOKEN")
    monkeypatch.setenv(VARIABLE, f"sqlite:///{shop}")
    done = mesh.run("order/returns")
    assert done.success, failures(done)
    first, _ = mesh.rows("order/returns")
    assert {name: str(value) for name, value in first.items()} == {
        "order_no": "7",
        "day": "2024-01-31",
        "at": "2024-01-31 10:00:00",
        "amount": "2.50",
        "share": "0.5",
        "is_open": "True",
        "unused": "None",
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("name: a # b\n", "name: a # b\nenvironment: [X]\n"),
        ("environment: []\nname: a\n", "environment: [X]\nname: a\n"),
        ("environment:\nname: a\n", "environment: [X]\nname: a\n"),
        ("environment: [A, B]\nname: a\n", "environment: [A, B, X]\nname: a\n"),
        (
            "environment: # of whom\n  - A\nname: a\n",
            "environment: # of whom\n  - X\n  - A\nname: a\n",
        ),
        ("environment:\n- A\n# end\n", "environment:\n- X\n- A\n# end\n"),
        ("environment: [X]\n", "environment: [X]\n"),
    ],
)
def test_the_variable_is_added_to_what_people_wrote(
    tmp_path: Path, before: str, after: str
) -> None:
    file = tmp_path / "domain.yaml"
    file.write_text(before)
    assert with_variable(file, "X") == after


@pytest.mark.parametrize(
    "text", ["environment: [A,\n  B]\n", "[1]\n", "a: {\n", "environment: 3\n"]
)
def test_where_it_cannot_be_added_it_is_said(tmp_path: Path, text: str) -> None:
    file = tmp_path / "domain.yaml"
    file.write_text(text)
    with pytest.raises(NotMade, match="add X to `environment` yourself"):
        with_variable(file, "X")
    assert file.read_text() == text
