"""`mesh new`: what it asks, what it says, and that what comes next is one command away."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from shared_resources.cli.commands.teams.new import new
from shared_resources.mesh import Archetype, read_mesh
from tests.cli.commands import call
from tests.tiny_mesh import TinyMesh


def test_from_nothing_to_a_published_product_and_its_consumer(mesh: TinyMesh) -> None:
    told = call("new", "domain", "finance", "--owner", "finance@example.com", "--yes")
    assert (told.code, told.err) == (0, "")
    assert (
        "wrote domains/finance/domain.yaml" in told.out and "mesh new product finance/" in told.out
    )
    told = call("new", "product", "finance/invoices")
    assert told.code == 0
    assert "mesh audit domains/finance/products/invoices/contract.odcs.yaml" in told.out
    told = call("new", "product", "finance/paid", "--reads", "finance/invoices")
    assert told.code == 0 and "mesh run +finance/paid" in told.out
    assert call("check", "--static").code == 0
    mesh.land("finance/invoices/1.csv", "row_id,remark\n1,paid\n")
    assert mesh.run("finance/invoices").success
    assert mesh.run("finance/paid").success
    assert mesh.rows("finance/paid") == [{"row_id": 1, "remark": "paid"}]


def test_from_a_file_that_nobody_has_seen_to_a_published_product_and_its_consumer(
    mesh: TinyMesh, tmp_path: Path
) -> None:
    text = "Invoice No;Paid On;Amount;E-Mail\n1001;31/01/2024;12.50;ann@example.com\n"
    text += "1002;01/02/2024;NA;bob@example.com\n"
    file = tmp_path / "extract.csv"
    file.write_text(text)
    assert call("new", "domain", "finance", "--owner", "finance@example.com", "--yes").code == 0
    told = call("new", "product", "finance/invoices", "--from", str(file))
    assert (told.code, told.err) == (0, "")
    assert "2 rows, 4 columns, the key (invoice_no)" in told.out
    checked = call("check", "--static")
    assert checked.code == 1
    assert "'NA' means that there is no value [to_confirm]" in checked.out
    assert "column e_mail: by its name it holds e-mail addresses" in checked.out
    contract = mesh.root / "domains/finance/products/invoices/contract.odcs.yaml"
    assert call("audit", str(contract), "--data", str(file)).code == 0
    mesh.land("finance/invoices/extract.csv", text)
    assert mesh.run("finance/invoices").success
    told = call("new", "product", "finance/paid", "--from", "finance/invoices")
    assert (told.code, told.err) == (0, "")
    assert mesh.run("finance/paid").success
    assert mesh.rows("finance/paid") == mesh.rows("finance/invoices")
    paid = mesh.rows("finance/paid")[0]
    assert (paid["invoice_no"], str(paid["amount"])) == (1001, "12.50")


def test_a_table_outside_is_asked_by_a_source_of_which_a_model_learns(
    mesh: TinyMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute('create table orders ("Order No" integer primary key, amount real)')
        connection.executemany("insert into orders values (?, ?)", [(n, n / 4) for n in range(9)])
    address = f"sqlite:///{tmp_path}/shop.db"
    assert call("new", "domain", "finance", "--owner", "finance@example.com", "--yes").code == 0
    told = call("new", "product", "finance/sold", "--kind", "source", "--from", f"{address}#orders")
    assert (told.code, told.err) == (0, "")
    assert "set SOURCE_FINANCE_SOLD_ADDRESS to the database's address" in told.out
    monkeypatch.setenv("SOURCE_FINANCE_SOLD_ADDRESS", address)
    assert mesh.run("finance/sold").success
    assert mesh.rows("finance/sold")[8] == {"order_no": 8, "amount": 2.0}
    told = call(
        *("new", "product", "finance/expected", "--kind", "machine-learning"),
        *("--reads", "finance/sold"),
    )
    assert (told.code, told.err) == (0, "")
    assert "change the model in domains/finance/products/expected" in told.out


def test_what_was_confirmed_is_reported_no_longer(mesh: TinyMesh, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id,mail\n" + "".join(f"{n},u{n}@example.com\n" for n in range(200)))
    call("new", "domain", "finance", "--owner", "finance@example.com", "--yes")
    call("new", "product", "finance/people", "--from", str(file))
    contract = mesh.root / "domains/finance/products/people/contract.odcs.yaml"
    lines = contract.read_text().splitlines()
    said = [number for number, line in enumerate(lines) if "property: toConfirm" in line]
    assert len(said) == 2
    assert len(call("check", "--static").out.split("[to_confirm]")) - 1 == 2
    properties = yaml.safe_load(contract.read_text())
    properties["customProperties"] = properties["customProperties"][:1]
    del properties["schema"][0]["properties"][1]["customProperties"]
    contract.write_text(yaml.safe_dump(properties, sort_keys=False))
    assert call("check", "--static").code == 0


def test_what_is_not_said_is_asked(mesh: TinyMesh) -> None:
    answers = "finance@example.com\n#money\nnonsense\naggregate\n\n"
    done = CliRunner().invoke(new, ["domain", "finance"], input=answers)
    assert done.exit_code == 0, done.output
    domain = read_mesh(mesh.root).domain("finance")
    assert (domain.owner, domain.contact) == ("finance@example.com", "#money")
    assert domain.archetype is Archetype.AGGREGATE
    assert domain.description == "What finance knows."


def test_where_nobody_answers_what_is_not_said_it_is_to_be_an_option(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    told = call("new", "domain", "finance")
    assert told.code == 2 and "give it as an option" in told.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("domain", "finance", "--yes"), "--owner is missing"),
        (("domain", "Finance", "--owner", "x@example.com", "--yes"), "snake_case"),
        (("product", "finance/x"), "there is no domain 'finance'"),
        (("product", "finance/x", "--format", "xls"), "choose one of csv"),
        (("product", "finance/x", "--kind", "magic"), "'magic' is not one of"),
        (("product", "finance/x", "--kind", "source"), "there is no domain 'finance'"),
        (("product", "finance/x", "--from", "nowhere.csv"), "no such file or folder"),
        (("product", "finance/x", "--from", "finance/none"), "is not published yet"),
        (("product", "finance/x", "--from", "x.csv", "--reads", "a/b"), "two beginnings"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_to_do(
    mesh: TinyMesh, words: tuple[str, ...], why: str
) -> None:
    told = call("new", *words)
    assert told.code == 2 and why in told.err
    assert "Traceback" not in told.err
    assert read_mesh(mesh.root).domains == ()
