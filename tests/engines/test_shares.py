"""What agreements come to before any engine is asked: those in force, and those that nobody takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from shared_resources.engines.shares import Shares, shares_of
from shared_resources.mesh import read_mesh
from shared_resources.mesh.agreements.model import Status
from tests.engines.people import DAY, KEY, NOW, People


def test_approved_agreements_are_carried_with_their_terms_and_their_time(tmp_path: Path) -> None:
    people = People(tmp_path)
    people.agree("marketing", "pseudonymous", starts=NOW + DAY, ends=NOW + 2 * DAY)
    (share,) = people.shares().given
    assert (share.product, str(share.consumer), share.purpose) == (KEY, "marketing", "care")
    assert share.terms.columns == ("id", "email", "born", "region")
    assert {name: str(mask) for name, mask in share.terms.masks.items()} == {
        "email": "keyed-hash",
        "born": "truncate-to-year",
    }
    assert (share.starts, share.ends) == (NOW + DAY, NOW + 2 * DAY)


def test_what_is_not_in_force_is_not_carried(tmp_path: Path) -> None:
    people = People(tmp_path)
    people.agree("marketing", "north", status=Status.REQUESTED)
    people.agree("finance", "north", status=Status.REJECTED)
    people.agree("sales", "north", ends=NOW - DAY)
    people.agree("legal", "no_such_role")
    people.agree("people_team", "everything", purpose="research")  # which forbids what it shows
    assert people.shares() == Shares(())


def test_of_several_agreements_for_one_purpose_none_is_carried(tmp_path: Path) -> None:
    people = People(tmp_path)
    first = people.agree("marketing", "north")
    first.rename(first.with_name("marketing.oaas.yaml"))
    people.agree("marketing", "south")
    shares = people.shares()
    assert not shares.given
    assert "several agreements" in shares.withheld[0].why


def test_an_agreement_that_follows_another_waits_for_its_end(tmp_path: Path) -> None:
    people = People(tmp_path)
    first = people.agree("marketing", "north", ends=NOW + DAY)
    first.rename(first.with_name("marketing.oaas.yaml"))
    people.agree("marketing", "south", starts=NOW + 2 * DAY)
    shares = people.shares()
    assert [share.roles for share in shares.given] == [("north",)]
    assert [one.roles for one in shares.withheld] == [("south",)]
    assert [share.roles for share in people.shares(NOW + 3 * DAY).given] == [("south",)]


def test_agreements_of_registered_domains_are_decided_elsewhere(tmp_path: Path) -> None:
    people = People(tmp_path)
    people.agree("marketing", "north")
    mesh = read_mesh(tmp_path)
    away = replace(
        mesh, domains=tuple(replace(one, registered=one.name == "crm") for one in mesh.domains)
    )
    shares = shares_of(away, NOW)
    assert not shares.given
    assert shares.elsewhere(KEY)
    assert not shares.elsewhere("marketing/anything")
