"""What a branch asks of a kind of store: that two of its products share a version's files.

Belongs here: the port. Does not belong here: the store of a branch (`store.py`), which of its calls
needs it.
"""

from __future__ import annotations

from typing import Protocol

from shared_resources.contracts.model import Contract
from shared_resources.evidence.record import Evidence
from shared_resources.stores.protocol import Version


class VersionSharing(Protocol):
    """Versions pass from product to product of one store by metadata alone: no row is copied.

    After that neither product's housekeeping removes what the other one needs. Every method is safe
    to call from many processes, and to call again after its process died in the middle.
    """

    def fork(self, contract: Contract, source: str, number: int) -> None:
        """Make version `number` of the product `source` the first one of the contract's product.

        It stays what it was: number, rows, batch and evidence. Where the product has versions
        nothing is changed. Raises `NotPublished` when the version has just expired.
        """
        ...

    def check(self, contract: Contract, source: str, number: int, on_top_of: int) -> None:
        """Raise what `take` would raise of the same, as far as can be known now; change nothing."""
        ...

    def take(
        self, contract: Contract, source: str, number: int, evidence: Evidence, on_top_of: int
    ) -> Version:
        """Make the rows of version `number` of `source` the next version, in one atomic commit.

        It has the batch id that it has there, and this evidence; where that batch is published
        nothing is changed. Raises `MovedOn`, with nothing changed, unless the current version is
        `on_top_of` (0: there is none), and `PublishError` when the published schema cannot take it.
        """
        ...

    def forget(self, product: str, origin: str) -> None:
        """Remove the product, and of its files those that `origin` does not need."""
        ...

    def products(self) -> list[str]:
        """The keys of all products in the store, those of branches among them."""
        ...
