"""Asking for an agreement, and deciding about one, as people type it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.access.test_door import NOW, PURPOSES, agree, people_contract
from tests.cli.commands import call
from tests.tiny_mesh import TinyMesh

ASKED = ("crm/people", "--as", "marketing", "--role", "north", "--purpose", "care")


@pytest.fixture
def people(mesh: TinyMesh) -> TinyMesh:
    mesh.central(purposes=PURPOSES)
    mesh.product("crm/people", people_contract())
    mesh.domain("marketing")
    (mesh.root / "domains" / "crm" / "products" / "people" / "agreements").mkdir()
    return mesh


def states() -> dict[str, str]:
    return {one["consumer"]: one["state"] for one in call("access", "list", "--json").json}


def test_what_is_asked_for_holds_once_an_owner_has_approved_it(people: TinyMesh) -> None:
    assert call("access", "request", *ASKED).code == 0
    assert states() == {"marketing": "requested"}
    about = ("crm/people", "--for", "marketing")
    call("access", "approve", *about, "--by", "ada@example.com").refused("its domain's owners may")
    assert call("access", "approve", *about, "--by", "crm@example.com").code == 0
    assert states() == {"marketing": "in force"}
    call("access", "request", *ASKED).refused("wait for it, or change it")


def test_one_that_has_ended_makes_way_for_the_next(people: TinyMesh) -> None:
    """What a reader is told to type when his agreement has ended."""
    file = agree(people, "marketing", "north", ends=NOW - timedelta(days=3))
    assert states() == {"marketing": "ended"}
    assert call("access", "request", *ASKED, "--until", "2999-12-31").code == 0
    assert states() == {"marketing": "requested"}
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_one_that_was_rejected_is_not_asked_for_again(people: TinyMesh) -> None:
    assert call("access", "request", *ASKED).code == 0
    about = ("crm/people", "--for", "marketing")
    assert call("access", "reject", *about, "--by", "crm@example.com").code == 0
    call("access", "request", *ASKED).refused("change it, or remove it and ask again")
