"""What of the products was rejected, and what became of it.

Belongs here: the quarantine's entries together with what was published in their place.
Does not belong here: either of these alone (`governance/quarantine/quarantine.py`,
`governance/quarantine/settlement.py`).

Whoever asks whether an entry is open asks here: the quarantine knows nothing of versions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.governance.quarantine.rejection import QuarantineEntry
from shared_resources.governance.quarantine.settlement import with_replacements
from shared_resources.stores.opening import holding
from shared_resources.stores.protocol import Version


def entries_of(environment: Environment, contract: Contract) -> list[QuarantineEntry]:
    """All entries of the product, oldest first, each with what became of it."""
    entries = environment.quarantine.list(contract.key)
    if not any(entry.may_stand for entry in entries):
        return entries
    return with_replacements(entries, environment.stores_of(contract)[0].versions(contract.key))


def every_entry(
    environment: Environment, contracts: Mapping[str, Contract]
) -> list[QuarantineEntry]:
    """The entries of all products, oldest first; of those that are no more, too.

    `contracts` are those of the mesh, by product key.
    """
    found: list[QuarantineEntry] = []
    entries = sorted(environment.quarantine.list(), key=lambda entry: entry.product)
    for product, group in groupby(entries, key=lambda entry: entry.product):
        own = list(group)
        if any(entry.may_stand for entry in own):
            own = with_replacements(own, _versions(environment, product, contracts.get(product)))
        found.extend(own)
    return sorted(found, key=lambda entry: (entry.at, entry.id))


def note_replacements(
    environment: Environment,
    contract: Contract,
    versions: Sequence[Version],
    expiring: Collection[Version],
) -> None:
    """Keep with the entries which versions took their places, before these versions are removed.

    `versions` are all of the leading store, those that expire among them.
    """
    if not expiring:
        return
    numbers = {version.number for version in expiring}
    left = [version for version in versions if version.number not in numbers]
    quarantine = environment.quarantine
    settled = [
        entry
        for entry in with_replacements(quarantine.list(contract.key), versions)
        if entry.replaced_by is not None
    ]
    derived = with_replacements([replace(one, replaced_by=None) for one in settled], left)
    for entry, after in zip(settled, derived, strict=True):
        if entry.replaced_by is not None and after.replaced_by != entry.replaced_by:
            quarantine.mark_replaced(entry, entry.replaced_by)


def _versions(environment: Environment, product: str, contract: Contract | None) -> list[Version]:
    """Those of the leading store; of a product without a contract, of the first that has any."""
    if contract is not None:
        return environment.stores_of(contract)[0].versions(product)
    return holding(environment, product)[1]
