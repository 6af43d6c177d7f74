"""Verifying a product's versions: offline, against nothing but what is stored and trusted keys.

Belongs here: which versions, in which stores, and what is compared of each.
Does not belong here: the comparisons (`chain.py`, `contents.py`), running rules (`rerunning.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from shared_resources.attesting.certificates import Certificates
from shared_resources.attesting.chain import attestation_of, chain_differences
from shared_resources.attesting.contents import (
    committed_differences,
    contract_differences,
    file_differences,
    input_differences,
)
from shared_resources.attesting.differences import Difference
from shared_resources.attesting.envelopes import Attested, Envelopes
from shared_resources.attesting.signatures import Trusted
from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.evidence.kept import KeptAttestations
from shared_resources.problems import MeshProblem
from shared_resources.stores.protocol import ProductStore, Unreadable, Version


@dataclass(frozen=True)
class ProvenVersion:
    """A version and what was attested of it; `attested` is None for one from before attestations."""

    version: Version
    attested: Attested | None


@dataclass(frozen=True)
class Proof:
    """A product's versions in one store, oldest first, and what is not as it was attested."""

    product: str
    store: str
    versions: tuple[ProvenVersion, ...]
    expired: tuple[int, ...] = ()
    differences: tuple[Difference, ...] = ()


def evidence_of(
    environment: Environment,
    contract: Contract,
    trusted: Trusted = None,
    *,
    number: int | None = None,
    verify: bool = False,
) -> list[Proof]:
    """What stands of the product's versions in each of its stores; all compared with `verify`.

    With `number` nothing but that version is compared, and its link to the one before it.
    """
    return [
        _Verification(environment, contract, store, trusted).proof(number, verify)
        for store in environment.stores_of(contract)
    ]


class _Verification:
    def __init__(
        self, environment: Environment, contract: Contract, store: ProductStore, trusted: Trusted
    ) -> None:
        self._environment = environment
        self._contract = contract
        self._store = store
        self._trusted = trusted
        self.envelopes = self._envelopes(contract.key, store.name)
        self._certificates = Certificates(self._place, trusted)
        self._input = cache(self._of_input)

    def proof(self, number: int | None, verify: bool) -> Proof:
        key, name = self._contract.key, self._store.name
        versions, lost = self._versions()
        proven = tuple(
            ProvenVersion(v, self._attested(v))
            for v in versions
            if number is None or v.number == number
        )
        found: list[Difference] = lost
        if verify:
            found += [
                one
                for one in chain_differences(self.envelopes, versions)
                if number is None or one.version == number
            ]
            for one in proven:
                found += self._of_version(one)
        expired = tuple(sorted(self.envelopes.expired))
        return Proof(key, name, proven, expired, tuple(dict.fromkeys(found)))

    def _versions(self) -> tuple[list[Version], list[Difference]]:
        try:
            versions = self._store.versions(self._contract.key)
            self._store.check_in_step(self._contract.key)
        except Unreadable as problem:
            what = f"{problem.file} {problem.problem}"
            return [], [self.envelopes.difference(None, "unreadable", problem.file, what)]
        return versions, []

    def _attested(self, version: Version) -> Attested | None:
        digest = attestation_of(version)
        return self.envelopes.of(version.number, digest) if digest else None

    def _of_version(self, one: ProvenVersion) -> Sequence[Difference]:
        version, attested = one.version, one.attested
        if attested is None:
            return [*self._certificates.differences(self.envelopes, version, None)]
        found = [*file_differences(self.envelopes, self._store, version, attested)]
        found += self._certificates.differences(self.envelopes, version, attested)
        if attested.predicate:
            found += committed_differences(self.envelopes, version, attested)
            found += contract_differences(self._environment, self.envelopes, version)
            found += input_differences(self.envelopes, version, attested, self._input)
        return found

    def _of_input(self, product: str, store: str) -> tuple[Envelopes, list[Version]] | None:
        for one in self._environment.stores.values():
            if one.name == store:
                try:
                    return self._envelopes(product, store), one.versions(product)
                except MeshProblem:
                    return None
        return None

    def _envelopes(self, product: str, store: str) -> Envelopes:
        return Envelopes(self._place, product, store, self._trusted)

    @property
    def _place(self) -> KeptAttestations:
        place = self._environment.attestor.place
        assert place is not None, "an environment keeps attestations"
        return place
