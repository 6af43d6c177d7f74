"""The asset of a product that is not made: it is there, it says why, and a run of it fails so.

Belongs here: that asset. Does not belong here: which products are stopped (`governance/stopped.py`).

It keeps the product's place in the graph, so that its history and its consumers' stay.

No postponed annotations here: Dagster looks at the op's own.
"""

import hashlib
import re
from collections.abc import Sequence

import dagster as dg

from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.locations.asset_spec import owners, partitions_def
from shared_resources.mesh import ProductFolder

STOPPED_TAG = "mesh/stopped"


def stopped_asset(
    product: ProductFolder, after: Sequence[str], why: str, broken: bool = True
) -> dg.AssetsDefinition:
    """An asset under the product's key that refuses to run, with `why`; `after` is what it reads.

    `broken` when it is for something that must be mended, and not for its contract's status.
    """
    contract = product.contract
    tag = {STOPPED_TAG: ""} if broken else {}

    spec = dg.AssetSpec(
        asset_key(product.key),
        description=f"**Stopped:** it is not made.\n```\n{why}\n```",
        group_name=product.domain,
        tags=tag,
        metadata={STOPPED_TAG: why},
        owners=owners(contract) if contract else None,
        partitions_def=partitions_def(contract) if contract else None,
    )
    name = _op_name(product)

    @dg.multi_asset(
        name=name,
        outs={name: dg.AssetOut.from_spec(spec)},
        deps=[asset_key(key) for key in after],
        partitions_def=spec.partitions_def,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def refuse() -> None:
        raise dg.Failure(why, allow_retries=False)

    return refuse


def _op_name(product: ProductFolder) -> str:
    """Its folder may have a name that Dagster takes for no op: it is stopped for it."""
    plain = f"{product.domain}__{product.name}"
    name = re.sub(r"\W", "_", plain, flags=re.ASCII)
    return name if name == plain else f"{name}_{hashlib.sha256(plain.encode()).hexdigest()[:6]}"
