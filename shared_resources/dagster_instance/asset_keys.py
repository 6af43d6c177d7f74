"""What Dagster calls a product.

Belongs here: the asset key of a product's key.
Does not belong here: anything else that Dagster is told of it (`locations/asset_spec.py`).
"""

from __future__ import annotations

import dagster as dg


def asset_key(product: str) -> dg.AssetKey:
    return dg.AssetKey(product.split("/"))
