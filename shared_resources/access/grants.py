"""Grants: what a principal sees of a product at a moment, and why not.

Belongs here: choosing the agreement that serves a principal, and saying what to do without one.
Does not belong here: what an agreement's roles come to (`terms.py`), handing out rows (`door.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from shared_resources.access.principal import Principal
from shared_resources.access.terms import Terms, by_either_name, problems_with, terms_of
from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.evidence.terms import HeldAgreement
from shared_resources.findings import Finding
from shared_resources.mesh.agreements.folder import files_of, read_all
from shared_resources.mesh.agreements.model import Agreement, Status
from shared_resources.mesh.agreements.oaas import written
from shared_resources.mesh.domain_file import owners_named, same_person
from shared_resources.mesh.model import Central, ProductFolder, is_product_key
from shared_resources.mesh.read import read_central, read_product
from shared_resources.problems import MeshProblem


class NoAgreement(MeshProblem):
    """The principal may not see what it asks for; the message says what to do about it. `outside` says it
    to who has none of the mesh's files, and names none."""

    def __init__(self, said: str, outside: str = "") -> None:
        super().__init__(said)
        self.outside = outside or said


@dataclass(frozen=True)
class Grant:
    """`terms` is None for who sees the product whole, its owner. `agreement` is None for him, too, and
    for who reads what is open to everybody."""

    product: str
    principal: Principal
    terms: Terms | None = None
    agreement: Agreement | None = None

    @property
    def whole(self) -> bool:
        return self.terms is None

    @property
    def held(self) -> HeldAgreement:
        """As it stands in the attestation of what is made by it."""
        agreement = self.agreement
        id_, _, digest = self.said.partition(":")
        if agreement is None:
            return HeldAgreement(self.product, id_, digest, str(self.principal))
        return HeldAgreement(
            product=self.product,
            id=id_,
            digest=digest,
            consumer=str(agreement.consumer),
            roles=agreement.roles,
            purpose=agreement.purpose,
            until=written(agreement.ends) if agreement.ends else "",
            approver=agreement.decided_by,
        )

    @cached_property
    def said(self) -> str:
        """What it shows, in a form that changes with it: the agreement, and a digest of the terms. Empty
        for who sees the product whole."""
        if self.terms is None:
            return ""
        masks = sorted((name, str(mask)) for name, mask in self.terms.masks.items())
        rows = sorted(row.text for row in self.terms.rows)
        shown = json.dumps([sorted(self.terms.columns), masks, rows])
        agreement = self.agreement.id if self.agreement else "open"
        return f"{agreement}:{hashlib.sha256(shown.encode()).hexdigest()}"

    def beyond(self, columns: Sequence[str] | None) -> tuple[str, ...]:
        """Which of these columns it does not show."""
        if self.terms is None:
            return ()
        return tuple(name for name in columns or () if name not in self.terms.columns)


def grant_of(
    environment: Environment,
    product: str,
    principal: Principal,
    purpose: str | None = None,
    now: datetime | None = None,
) -> Grant:
    """What the principal sees of the product, by the files and the registry of this moment.

    Raises `NoAgreement`. A product that is unknown here is nobody's to see but its own domain's, and what
    is no product's key is nobody's.
    """
    if not is_product_key(product):
        # Its first part would say whose it is, and a store might find another's behind the rest.
        raise NoAgreement(f"{product!r} is no product key; write it as domain/product")
    if principal.operator or principal.domain == product.partition("/")[0]:
        return Grant(product, principal)
    folder = read_product(environment, product, anew=False)
    if folder is None or folder.contract is None:
        raise NoAgreement(
            f"{principal} may not read {product}: nothing here says who may, as its contract is not "
            "known; deploy its domain, or mend its contract"
        )
    owners = owners_named(folder.folder.parents[1])
    return decide(folder, owners, read_central(environment), principal, purpose, now)


def decide(
    folder: ProductFolder,
    owners: Sequence[str],
    central: Central,
    principal: Principal,
    purpose: str | None = None,
    now: datetime | None = None,
) -> Grant:
    """The grant by what stands beside the product, whose domain's `owners` may approve.

    Raises `NoAgreement`.
    """
    key, contract, now = folder.key, folder.contract, now or datetime.now(UTC)
    if contract is None:
        raise NoAgreement(f"{principal} may not read {key}: its contract cannot be read")
    if principal.operator or principal.domain == folder.domain:
        return Grant(key, principal)
    if principal.user and any(same_person(principal.user, one) for one in owners):
        return Grant(key, principal)
    found, unread = read_all(files_of(folder.folder, principal.consumers))
    good, bad = [], list(unread)
    for agreement in found:
        if agreement.consumer in principal.consumers and purpose in (None, agreement.purpose):
            problems = list(problems_with(agreement, key, contract, owners, central))
            bad += problems
            if not problems:
                good.append(agreement)
    for consumer in principal.consumers:
        serving = [a for a in good if a.consumer == consumer and a.in_force(now)]
        if len(serving) > 1:
            raise NoAgreement(
                _several(key, principal, serving), _several(key, principal, serving, outside=True)
            )
        if serving:
            roles = [role for name in serving[0].roles if (role := contract.role(name))]
            terms = by_either_name(terms_of(roles, contract), contract)
            return Grant(key, principal, terms, serving[0])
    if purpose is None and (open_ := _open(contract, central)) is not None:
        whole = len(open_) == len(contract.columns)
        return Grant(key, principal, None if whole else by_either_name(Terms(open_), contract))
    if purpose is not None and purpose not in central.purposes and not bad:
        known = ", ".join(sorted(central.purposes))
        said = (
            f"{principal} may not read {key} for {purpose}: the purpose {purpose!r} does not exist; use "
            "one of: "
        )
        raise NoAgreement(
            said + (known or f"none yet: add it to {central.file}"), said + (known or "none yet")
        )
    why = (key, contract, principal, purpose, good, bad, now)
    raise NoAgreement(_why_not(*why), _why_not(*why, outside=True))


def _open(contract: Contract, central: Central) -> tuple[str, ...] | None:
    """The columns that anybody may read; None when there is none."""
    named = [c.name for c in contract.columns if c.classification in central.open]
    return tuple(named) or None


def _several(
    product: str, principal: Principal, serving: Sequence[Agreement], *, outside: bool = False
) -> str:
    purposes = sorted({agreement.purpose for agreement in serving})
    if len(purposes) < len(serving):
        files = ", ".join(one.id if outside else str(one.file) for one in serving)
        return (
            f"{principal} has several agreements about {product} for one purpose: {files}; keep one"
        )
    return (
        f"{principal} reads {product} for several purposes: say for which, {' or '.join(purposes)}; a "
        "product's input is served by the agreement that names the product as its consumer"
    )


def _why_not(
    product: str,
    contract: Contract,
    principal: Principal,
    purpose: str | None,
    agreements: Sequence[Agreement],
    bad: Sequence[Finding],
    now: datetime,
    *,
    outside: bool = False,
) -> str:
    """Why there is no grant, and the next step."""
    said = f"{principal} may not read {product}"
    said += f" for {purpose}: " if purpose else ": "
    if bad and outside:
        return f"{said}its agreement does not hold as it is written; its owner sees why in `mesh check`"
    if bad:
        return said + "; ".join(str(finding) for finding in bad)
    for agreement in agreements:
        where = f"the agreement {agreement.id}" if outside else f"the agreement in {agreement.file}"
        approve = f"`mesh access approve {product} --for {agreement.consumer}`"
        if agreement.status is Status.REQUESTED:
            return f"{said}{where} is requested, and not approved; an owner of it says {approve}"
        if agreement.status is Status.REJECTED:
            by = f" by {agreement.decided_by}" if agreement.decided_by else ""
            return f"{said}{where} was rejected{by}; talk to the owner, {contract.owner}"
        if agreement.over(now) and agreement.ends is not None:
            ended = written(agreement.ends)
            return (
                f"{said}{where} ended {ended}; ask for a longer one: {_request(agreement, product)}"
            )
        if not agreement.begun(now) and agreement.starts is not None:
            return f"{said}{where} starts {written(agreement.starts)}"
    roles = " | ".join(role.name for role in contract.roles)
    if not roles:
        return f"{said}its contract has no roles; its owner, {contract.owner}, adds one"
    request = f"`mesh access request {product} --as {principal} --role {roles} --purpose"
    return f"{said}there is no agreement; ask for one: {request} {purpose or '…'}`"


def _request(agreement: Agreement, product: str) -> str:
    roles = " ".join(f"--role {role}" for role in agreement.roles)
    return (
        f"`mesh access request {product} --as {agreement.consumer} {roles} "
        f"--purpose {agreement.purpose} --until …`"
    )
