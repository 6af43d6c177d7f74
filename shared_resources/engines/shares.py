"""Shares: what the agreements of the mesh come to, before any engine is asked.

Belongs here: which agreements are to be carried to engines at a moment, with their terms, and which
cannot be by any. Does not belong here: an engine's objects, and what one engine cannot say (its folder).

The door and the engines decide alike: what `access/terms.py` has something against grants nothing here.
An agreement that is yet to begin is carried, as engines keep its first and last moment themselves; one
that is over is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared_resources.access.terms import Terms, by_either_name, problems_with, terms_of
from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import aliases
from shared_resources.mesh.agreements.folder import agreement_files, read_all
from shared_resources.mesh.agreements.model import Agreement, Consumer, Status
from shared_resources.mesh.model import Central, Mesh, ProductFolder


@dataclass(frozen=True)
class Share:
    """One agreement to be carried: the consumer reads of the product, for the purpose, what `terms` show
    from `starts` to `ends` (UTC; None for without an end; the moment named is the last)."""

    contract: Contract
    consumer: Consumer
    purpose: str
    agreement: str
    roles: tuple[str, ...]
    terms: Terms
    starts: datetime | None = None
    ends: datetime | None = None

    @property
    def product(self) -> str:
        """The product's key, `domain/name`."""
        return self.contract.key

    @property
    def former(self) -> Mapping[str, str]:
        """The former names of what it shows that readers are still given, each with the present one."""
        return {
            old: new for old, new in aliases(self.contract).items() if new in self.terms.columns
        }

    @property
    def by_either_name(self) -> Share:
        """The same with the former names: each shows what its column does, as it does at the door."""
        return replace(self, terms=by_either_name(self.terms, self.contract))


@dataclass(frozen=True)
class Withheld:
    """What is agreed and not granted on an engine, and why. `column` is empty where it is all of it."""

    product: str
    consumer: str
    purpose: str
    roles: tuple[str, ...]
    column: str
    why: str


def withheld(share: Share, why: str, column: str = "") -> Withheld:
    return Withheld(share.product, str(share.consumer), share.purpose, share.roles, column, why)


@dataclass(frozen=True)
class Shares:
    """`registered` are the domains whose agreements are elsewhere, or not looked at: nobody here decides
    about those."""

    given: tuple[Share, ...]
    withheld: tuple[Withheld, ...] = ()
    registered: frozenset[str] = frozenset()

    def elsewhere(self, product: str) -> bool:
        """Whether a product's agreements are decided in another repository."""
        return product.partition("/")[0] in self.registered


def shares_of(mesh: Mesh, now: datetime, only: str | None = None) -> Shares:
    """What is to be carried to engines at the moment `now`, from the files that are here; of the domain
    `only`, where it is named: about the others nothing is decided then."""
    given: list[Share] = []
    unsaid: list[Withheld] = []
    for domain in (one for one in mesh.own_domains if only in (None, one.name)):
        for folder in domain.products:
            found = shares_of_product(folder, domain.owners, mesh.central, now)
            given += found.given
            unsaid += found.withheld
    own = {domain.name for domain in mesh.own_domains} if only is None else {only}
    registered = frozenset(domain.name for domain in mesh.domains if domain.name not in own)
    return Shares(tuple(given), tuple(unsaid), registered)


def shares_of_product(
    folder: ProductFolder, owners: Sequence[str], central: Central, now: datetime
) -> Shares:
    """The same of one product, whose domain's `owners` may approve."""
    contract = folder.contract
    if contract is None:
        return Shares(())
    given: list[Share] = []
    unsaid: list[Withheld] = []
    agreements, _ = read_all(agreement_files(folder.folder))
    by_reader: dict[tuple[str, str], list[Share]] = {}
    for agreement in agreements:
        if agreement.status is not Status.APPROVED or agreement.over(now):
            continue
        if any(problems_with(agreement, folder.key, contract, owners, central)):
            continue  # `mesh check` says what
        share = _share(agreement, contract)
        by_reader.setdefault((str(share.consumer), share.purpose), []).append(share)
    for shares in by_reader.values():
        first, *others = sorted(shares, key=_begins)
        if any(_overlap(first, other) for other in others):
            why = "there are several agreements for one purpose, of which the door takes none"
            unsaid.append(withheld(first, why))
            continue
        given.append(first)
        for other in others:
            unsaid.append(withheld(other, "it follows an agreement that has not ended; apply then"))
    return Shares(tuple(given), tuple(unsaid))


def ended_of(mesh: Mesh, now: datetime) -> list[Share]:
    """What was agreed until a moment that has passed: for an engine that does not end it by itself."""
    found: list[Share] = []
    for domain in mesh.own_domains:
        for folder in domain.products:
            contract = folder.contract
            agreements = read_all(agreement_files(folder.folder))[0] if contract else []
            for agreement in agreements:
                over = agreement.status is Status.APPROVED and agreement.over(now)
                if contract is None or not over:
                    continue
                if not any(
                    problems_with(agreement, folder.key, contract, domain.owners, mesh.central)
                ):
                    found.append(_share(agreement, contract))
    return found


def _share(agreement: Agreement, contract: Contract) -> Share:
    roles = [role for name in agreement.roles if (role := contract.role(name)) is not None]
    return Share(
        contract,
        agreement.consumer,
        agreement.purpose,
        agreement.id,
        agreement.roles,
        terms_of(roles, contract),
        agreement.starts,
        agreement.ends,
    )


def _begins(share: Share) -> tuple[bool, float]:
    return share.starts is not None, share.starts.timestamp() if share.starts else 0.0


def _overlap(one: Share, later: Share) -> bool:
    """Whether both are in force at some moment, the first having begun no later."""
    return one.ends is None or later.starts is None or later.starts <= one.ends
