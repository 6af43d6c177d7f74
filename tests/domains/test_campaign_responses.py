"""marketing/campaign_responses: one row a campaign and contact, from who was reached and who redeemed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest

from domains.marketing.products.campaign_responses.product import campaign_responses
from domains.source_systems.contacts import synthetic_contacts
from tests.domains.products import audited, refused_by, source_connection

FIRST, LATER = date(2017, 3, 1), date(2017, 3, 9)
REACHED = pl.DataFrame({"campaign_id": [1, 1, 2], "household_id": [7, 8, 7]})
REDEMPTIONS = pl.DataFrame(
    {"campaign_id": [1, 1], "household_id": [7, 7], "redemption_date": [LATER, FIRST]}
)
CONTACTS = pl.DataFrame({"household_id": [7, 8, 9], "email": ["a" * 64, "b" * 64, "c" * 64]})


def test_a_contact_is_counted_once_a_campaign_whether_it_responded_or_not():
    made = campaign_responses(REACHED, REDEMPTIONS, CONTACTS)
    assert made.rows() == [
        (1, "a" * 64, 2, FIRST),
        (1, "b" * 64, 0, None),
        (2, "a" * 64, 0, None),
    ]
    assert "household_id" not in made.columns, "a pseudonym that purchases carry, too, stays behind"


def test_whom_nobody_can_reach_is_refused(tmp_path: Path):
    made = campaign_responses(REACHED, REDEMPTIONS, CONTACTS.head(1))
    assert "required_contact" in refused_by(audited("marketing/campaign_responses", made, tmp_path))


def test_two_contacts_of_a_household_are_no_two_responses():
    with pytest.raises(pl.exceptions.ComputeError, match="m:1"):
        campaign_responses(REACHED, REDEMPTIONS, pl.concat([CONTACTS, CONTACTS]))


@pytest.fixture(scope="module")
def source() -> duckdb.DuckDBPyConnection:
    return source_connection()


def test_every_redemption_of_the_year_is_somebodys_response(
    source: duckdb.DuckDBPyConnection, tmp_path: Path
):
    reached = source.sql("SELECT campaign_id, household_id FROM campaigns").pl()
    redemptions = source.sql("SELECT * FROM coupon_redemptions").pl()
    numbers = source.sql("SELECT DISTINCT household_id FROM transactions").pl().to_series()
    raw = pl.from_arrow(synthetic_contacts(numbers.to_list()))
    assert isinstance(raw, pl.DataFrame)
    hashed = duckdb.sql("SELECT household_id, sha256('key' || email) AS email FROM raw").pl()

    made = campaign_responses(reached, redemptions, hashed)

    assert refused_by(audited("marketing/campaign_responses", made, tmp_path)) == set()
    assert (made.height, made["redemptions"].sum()) == (6_589, 2_102)
