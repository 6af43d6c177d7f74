"""The asset of a product that is not made: it is there, it says why, and a run of it fails so.

Belongs here: that asset. Does not belong here: which products are stopped (`governance/stopped.py`).

It keeps the product's place in the graph, so that its history and its consumers' stay.

No postponed annotations here: Dagster looks at the op's own.
"""

import dagster as dg

from shared_resources.data_products.asset_spec import asset_key, partitions_def
from shared_resources.mesh import ProductFolder

STOPPED_TAG = "mesh/stopped"


def stopped_asset(product: ProductFolder, why: str) -> dg.AssetsDefinition:
    """An asset under the product's key that refuses to run, with `why`."""
    contract = product.contract

    @dg.multi_asset(
        name=f"{product.domain}__{product.name}",
        specs=[
            dg.AssetSpec(
                asset_key(product.key),
                deps=[asset_key(key) for key in product.reads if key != product.key],
                description=f"**Stopped.** It is not made until this is mended:\n```\n{why}\n```",
                group_name=product.domain,
                tags={STOPPED_TAG: ""},
                metadata={STOPPED_TAG: why},
                owners=[contract.owner] if contract and contract.owner else None,
                partitions_def=partitions_def(contract) if contract else None,
            )
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def refuse() -> None:
        raise dg.Failure(why, allow_retries=False)

    return refuse
