"""Who read a product lately without declaring it: people, agents and teams, by the access log.

Belongs here: the log's readings of a product that no declared input explains, with their columns.
Does not belong here: consumers that are known from files (`consumers.py`), writing the log (`access/`).

They are named to who changes a contract, and hold no change up: a look is no promise to be kept, and
whoever relies on a product has an agreement or declares it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

from shared_resources.access.log import Reading, log_of
from shared_resources.data_products.compared.consumers import Hit
from shared_resources.environment import Environment
from shared_resources.mesh.model import is_product_key

# A quarter: what is read once a quarter (a report, a closing) is among it.
LATELY = timedelta(days=92)


def readings_lately(
    environment: Environment, product: str, now: datetime | None = None
) -> tuple[Reading, ...]:
    """What was read of the product since `LATELY`, but by products: what they read, they declare."""
    since = (now or datetime.now(UTC)) - LATELY
    log = log_of(environment.home_of_readers, environment.shared_access_log)
    return tuple(
        one for one in log.readings(product) if one.at >= since and not is_product_key(one.by)
    )


def read_among(readings: Iterable[Reading], columns: Collection[str]) -> Hit:
    """By reader which of the columns he read, or may have read. Of no columns, which is what is about
    the whole product, everybody read, and no column is named."""
    found: dict[str, set[str]] = {}
    for reading in readings:
        used = set(columns if reading.columns is None else {*reading.columns} & {*columns})
        if used or not columns:
            found.setdefault(reading.who, set()).update(used)
    return {who: tuple(sorted(used)) for who, used in sorted(found.items())}
