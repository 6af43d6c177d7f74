"""The same situations in stock Dagster: its own IO manager, a separate blocking asset check.

Belongs here: what each guarantee is shown beside.
Does not belong here: the guarantees themselves (one file each).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

ORDERS = dg.AssetKey("orders")


def orders_with_blocking_check(frame: pd.DataFrame, folder: Path) -> dg.Definitions:
    """An asset `orders` that returns `frame`, with a blocking check that amounts are positive."""

    @dg.asset(name="orders")
    def orders() -> pd.DataFrame:
        return frame

    @dg.asset_check(asset="orders", blocking=True)
    def amounts_are_positive(orders: pd.DataFrame) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=bool((orders["amount"] > 0).all()))

    job = dg.define_asset_job("all_of_it", dg.AssetSelection.all())
    unchecked = dg.define_asset_job("unchecked", dg.AssetSelection.all().without_checks())
    return dg.Definitions(
        assets=[orders],
        asset_checks=[amounts_are_positive],
        jobs=[job, unchecked],
        resources={"io_manager": dg.FilesystemIOManager(base_dir=str(folder))},
    )


def run_stock(definitions: dg.Definitions, job: str = "all_of_it") -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def(job).execute_in_process(
            instance=instance, raise_on_error=False
        )


def stock_reader(definitions: dg.Definitions) -> Any:
    """What a consumer of stock Dagster's `orders` reads now."""
    return definitions.load_asset_value(ORDERS)
