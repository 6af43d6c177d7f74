"""`mesh new`: what it asks, what it says, and that what comes next is one command away."""

from __future__ import annotations

import pytest
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


def test_what_is_not_said_is_asked(mesh: TinyMesh) -> None:
    answers = "finance@example.com\n#money\nnonsense\naggregate\n\n"
    done = CliRunner().invoke(new, ["domain", "finance"], input=answers)
    assert done.exit_code == 0, done.output
    domain = read_mesh(mesh.root).domain("finance")
    assert (domain.owner, domain.contact) == ("finance@example.com", "#money")
    assert domain.archetype is Archetype.AGGREGATE
    assert domain.description == "What finance knows."


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("domain", "finance", "--yes"), "--owner is missing"),
        (("domain", "Finance", "--owner", "x@example.com", "--yes"), "snake_case"),
        (("product", "finance/x"), "there is no domain 'finance'"),
        (("product", "finance/x", "--format", "xls"), "choose one of csv"),
        (("product", "finance/x", "--kind", "magic"), "'magic' is not one of"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_to_do(
    mesh: TinyMesh, words: tuple[str, ...], why: str
) -> None:
    told = call("new", *words)
    assert told.code == 2 and why in told.err
    assert "Traceback" not in told.err
    assert read_mesh(mesh.root).domains == ()
