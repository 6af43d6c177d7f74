"""Campaign responses: who of those that a campaign was sent to redeemed a coupon, by pseudonym.

Belongs here: how a response is put together. What it promises is in the contract.
"""

from __future__ import annotations

import polars as pl

from shared_resources import data_product, product_input

REACHED = ("campaign_id", "household_id")


@data_product(
    reached=product_input("marketing/campaign_households", columns=REACHED),
    redemptions=product_input(
        "marketing/redemptions", columns=("campaign_id", "household_id", "redemption_date")
    ),
    contacts=product_input("customer/contacts", columns=("household_id", "email")),
)
def campaign_responses(
    reached: pl.DataFrame, redemptions: pl.DataFrame, contacts: pl.DataFrame
) -> pl.DataFrame:
    """One row a campaign and contact. What `contacts` shows marketing as the address is its keyed hash:
    the household's number is left behind, and nobody here has seen an address.
    """
    redeemed = redemptions.group_by(REACHED).agg(
        pl.len().cast(pl.Int64).alias("redemptions"),
        pl.col("redemption_date").min().alias("first_redeemed_on"),
    )
    return (
        reached.join(contacts, on="household_id", how="left", validate="m:1")
        .join(redeemed, on=REACHED, how="left", validate="1:1")
        .select(
            "campaign_id",
            pl.col("email").alias("contact"),
            pl.col("redemptions").fill_null(0),
            "first_redeemed_on",
        )
        .sort("campaign_id", "contact")
    )
