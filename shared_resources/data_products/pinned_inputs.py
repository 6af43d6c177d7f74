"""Opening an input at the version that the run has pinned.

Belongs here: what a product's function, model or rule reads, and at which version.
Does not belong here: remembering pins (`stores/pins.py`), Dagster's IO managers
(`io_managers/product_io_manager.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from shared_resources.environment import Environment
from shared_resources.stores.opening import called_now, open_product
from shared_resources.stores.pins import Pin, pin_of
from shared_resources.stores.protocol import Snapshot


@dataclass(frozen=True)
class PinnedInput:
    """An upstream product at the version that the run reads. Annotate with it to read lazily."""

    product: str
    pin: Pin
    snapshot: Snapshot


def open_pinned(environment: Environment, run_id: str, product: str) -> PinnedInput:
    """Open the version of `product` that the run has pinned, pinning the current one if it has not.

    Raises `NotPublished`.
    """
    held = environment.pins.get(run_id, product)
    if held is None:
        current = open_product(environment, product).version
        held = environment.pins.keep_first(run_id, pin_of(current))
    return open_at(environment, held)


def open_at(environment: Environment, pin: Pin) -> PinnedInput:
    """The version of a pin, whole: for the platform. Who hands it on goes through the door."""
    store = next(store for store in environment.stores.values() if store.name == pin.store)
    opened = called_now(environment, store.open(pin.product, pin.number), served=True)
    return PinnedInput(pin.product, pin, opened)
