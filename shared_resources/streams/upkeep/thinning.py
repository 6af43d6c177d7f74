"""A stream's versions thinned: each window is one, and soon nobody tells them apart.

Belongs here: what of the product stays beside what its age lets stay.
Does not belong here: the rule of ages (`stores/expiring/thinning.py`), what a retention then takes
(`housekeeping/tasks.py`).

The position stands in the newest version, which stays. What a thinned version named in quarantine stays
there, and what took its place is noted before.
"""

from __future__ import annotations

from datetime import UTC, datetime

from shared_resources.contracts.model import Contract
from shared_resources.data_products.compared.standing import note_replacements
from shared_resources.data_products.publishing import product_lock
from shared_resources.environment import Environment
from shared_resources.stores.expiring.thinning import Thinning
from shared_resources.stores.pins import GRACE
from shared_resources.stores.protocol import ProductStore, Version
from shared_resources.stores.versions import expirable


def thin(
    environment: Environment,
    contract: Contract,
    store: ProductStore,
    now: datetime | None = None,
    *,
    dry_run: bool = False,
) -> list[Version]:
    """Remove the versions that are too many; which they are, or with `dry_run` would be."""
    moment = now or datetime.now(UTC)
    with product_lock(environment, contract.key):
        kept = store.versions(contract.key)
        pins = environment.pins.since(contract.key, moment - GRACE)
        rule = Thinning(moment, frozenset(pin.number for pin in pins if pin.store == store.name))
        gone = expirable(kept, rule)
        if dry_run or not gone:
            return gone
        if store is environment.stores_of(contract)[0]:
            note_replacements(environment, contract, kept, gone)
        return store.expire(contract, rule)
