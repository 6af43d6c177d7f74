"""Asking for an agreement, and deciding about one, as people type it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.access.test_door import NOW, PEOPLE, PURPOSES, agree, people_contract
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


def test_what_can_never_hold_is_not_asked_for(people: TinyMesh) -> None:
    over = call("access", "request", *ASKED, "--until", "2020-01-01")
    over.refused("it would end on 2020-01-01, which is over")
    call("access", "request", *ASKED, "--reassess", "2020-01-01").refused("looked at again")
    assert states() == {}


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("marketng", "did you mean marketing?"),
        ("marketing/sums", "nothing that is known here is called marketing/sums"),
        ("zz", "there are crm, marketing"),
        ("ada@example.com", ""),
        ("marketing", ""),
    ],
)
def test_a_reader_whom_nothing_here_is_called_is_said_before_anybody_approves(
    people: TinyMesh, who: str, said: str
) -> None:
    """And asked for all the same: his domain may be deployed later."""
    asked = call("access", "request", "crm/people", "--as", who, *ASKED[3:])
    assert asked.code == 0 and said in asked.err and bool(said) is bool(asked.err)
    assert states() == {who: "requested"}


def test_a_log_of_a_product_that_is_none_is_refused(people: TinyMesh) -> None:
    for mistyped in (
        ("log", "--product", "crm/peple"),
        ("explain", "marketing", "crm/peple"),
        ("list", "crm/peple"),
        ("approve", "crm/peple", "--for", "marketing"),
    ):
        refused = call("access", *mistyped)
        refused.refused("there is no product 'crm/peple'; did you mean crm/people?")
    call("access", "list", "zz/zz").refused("there is no product 'zz/zz'; there are ")
    assert "nobody has read crm/people yet" in call("access", "log", "--product", "crm/people").out


def test_why_somebody_sees_nothing_is_json_where_json_is_asked_for(people: TinyMesh) -> None:
    refused = call("access", "explain", "finance", "crm/people", "--purpose", "care", "--json")
    assert refused.code == 1 and refused.json["columns"] == [] == refused.json["grant"]
    assert "finance may not read crm/people" in refused.json["refused"]
    agree(people, "marketing", "north")
    explained = call("access", "explain", "marketing", "crm/people", "--json")
    assert explained.code == 0 and explained.json["refused"] is None and explained.json["grant"]


def test_a_reading_is_one_line_where_no_terminal_shows_it(people: TinyMesh) -> None:
    people.land("crm/people/people.parquet", PEOPLE)
    assert people.run("crm/people").success
    agree(people, "marketing", "north")
    for _ in range(2):
        assert call("read", "crm/people", "--as", "marketing").code == 0
    noted = call("access", "log", "--json").json
    lines = call("access", "log").out.splitlines()
    assert len(noted) == 2 and len(lines) == 3
    assert [line.split("  ")[0] for line in lines[1:]] == [one["at"] for one in noted]


def test_who_mistypes_is_told_what_there_is_and_not_to_ask_for_it(people: TinyMesh) -> None:
    people.land("crm/people/people.parquet", PEOPLE)
    assert people.run("crm/people").success
    agree(people, "marketing", "north")
    reads = ("--as", "marketing")
    call("read", "crm/peple", *reads).refused("did you mean crm/people?")
    call("read", "crm/people@x", *reads).refused("did you mean crm/people?")
    call("read", "crm/people@x").refused("did you mean crm/people?")
    call("read", "crm/people", "--columns", "emial", *reads).refused("has no column emial")
    no_purpose = call("read", "crm/people", "--purpose", "caer", *reads)
    no_purpose.refused("the purpose 'caer' does not exist; use one of: ", "care", code=1)
    # What there is and is not shown to him is another thing.
    call("read", "crm/people", "--columns", "email", *reads).refused("may not read email", code=1)


def test_one_that_was_rejected_is_not_asked_for_again(people: TinyMesh) -> None:
    assert call("access", "request", *ASKED).code == 0
    about = ("crm/people", "--for", "marketing")
    assert call("access", "reject", *about, "--by", "crm@example.com").code == 0
    call("access", "request", *ASKED).refused("change it, or remove it and ask again")
