"""The terms of an agreement: what its roles come to together, and whether they may be granted.

Belongs here: what is wrong with an agreement as such, and what a good one shows.
Does not belong here: whom it serves when (`grants.py`), reading files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import aliases
from shared_resources.contracts.roles.masks import KINDS
from shared_resources.contracts.roles.model import Mask, Role, RowFilter
from shared_resources.findings import Finding
from shared_resources.mesh.agreements.folder import misplaced
from shared_resources.mesh.agreements.model import Agreement, Status
from shared_resources.mesh.agreements.oaas import RULE
from shared_resources.mesh.domain_file import same_person
from shared_resources.mesh.model import Central

_Found = Callable[[str, str], Finding]


@dataclass(frozen=True)
class Terms:
    """What is shown: these columns, behind these masks, of the rows that one of `rows` lets through
    (of all for none)."""

    columns: tuple[str, ...]
    masks: Mapping[str, Mask] = field(default_factory=dict)
    rows: tuple[RowFilter, ...] = ()


class Conflicting(ValueError):
    """Two roles cannot be granted together; the message says which and why."""


def terms_of(roles: Sequence[Role], contract: Contract) -> Terms:
    """What the roles show together. Raises `Conflicting`.

    Roles that see the same rows add their columns, roles that see the same columns add their rows.
    Any others would show a cell that neither of them shows.
    """
    each = [_terms(role, contract) for role in roles]
    first = each[0]
    for role, terms in zip(roles[1:], each[1:], strict=True):
        same_rows = _texts(terms) == _texts(first)
        same_columns = (set(terms.columns), terms.masks) == (set(first.columns), first.masks)
        if same_rows:
            first = _more_columns(first, terms, contract, role.name)
        elif same_columns:
            rows = (*first.rows, *terms.rows) if first.rows and terms.rows else ()
            first = Terms(first.columns, first.masks, tuple({r.text: r for r in rows}.values()))
        else:
            raise Conflicting(
                f"the roles {roles[0].name!r} and {role.name!r} differ in their rows and in what they "
                "show of them"
            )
    return first


def by_either_name(terms: Terms, contract: Contract) -> Terms:
    """The terms with the former names that readers are given: each shows what its column does."""
    served = {old: new for old, new in aliases(contract).items() if new in terms.columns}
    masks = {old: terms.masks[new] for old, new in served.items() if new in terms.masks}
    return (
        Terms((*terms.columns, *served), {**terms.masks, **masks}, terms.rows) if served else terms
    )


def _terms(role: Role, contract: Contract) -> Terms:
    columns = role.columns or tuple(column.name for column in contract.columns)
    return Terms(columns, dict(role.masks), (role.rows,) if role.rows else ())


def _texts(terms: Terms) -> set[str]:
    return {row.text for row in terms.rows}


def _more_columns(one: Terms, other: Terms, contract: Contract, role: str) -> Terms:
    """A column that one of them shows as it is, is shown as it is."""
    masks: dict[str, Mask] = {}
    seen = {*one.columns, *other.columns}
    for name in seen:
        given = [t.masks.get(name) for t in (one, other) if name in t.columns]
        masked = [mask for mask in given if mask is not None]
        if len(masked) == len(given):
            if any(mask != masked[0] for mask in masked):
                raise Conflicting(
                    f"the role {role!r} masks {name!r} otherwise than another one does"
                )
            masks[name] = masked[0]
    ordered = tuple(column.name for column in contract.columns if column.name in seen)
    return Terms(ordered, masks, one.rows)


def problems_with(
    agreement: Agreement,
    product: str,
    contract: Contract,
    owners: Sequence[str],
    central: Central,
) -> Iterator[Finding]:
    """What keeps the agreement from being in force, however its status reads.

    `owners` are the people who may approve for the product's domain.
    """

    def found(message: str, remedy: str) -> Finding:
        return Finding(agreement.file, agreement.line, RULE, message, remedy)

    yield from misplaced(agreement, product)
    if agreement.consumer.team and agreement.consumer.team == contract.domain:
        yield found(f"{contract.domain} needs no agreement about its own product", "remove it")
    unknown = [name for name in agreement.roles if contract.role(name) is None]
    for name in unknown:
        known = ", ".join(role.name for role in contract.roles) or "none: add it to the contract"
        yield found(f"{product} has no role {name!r}", f"use one of its roles: {known}")
    if agreement.starts and agreement.ends and agreement.ends < agreement.starts:
        yield found("it ends before it starts", "change one of the two moments")
    if agreement.status is Status.APPROVED:
        yield from _approval(agreement, owners, found)
    if not unknown and agreement.roles:
        yield from _purpose(agreement, contract, central, found)


def _approval(agreement: Agreement, owners: Sequence[str], found: _Found) -> Iterator[Finding]:
    who = agreement.decided_by
    approve = f"`mesh access approve {agreement.product} --for {agreement.consumer}` writes both"
    if not who or agreement.decided_at is None:
        yield found("it is approved, and does not say by whom and when", approve)
    elif not any(same_person(who, owner) for owner in owners):
        listed = ", ".join(owners) or "nobody"
        yield found(
            f"it is approved by {who}, who does not own the product",
            f"have it approved by one of its domain's owners: {listed}",
        )
    elif same_person(who, agreement.consumer.user):
        yield found(f"{who} approved it for himself", "have it approved by another owner")


def _purpose(
    agreement: Agreement, contract: Contract, central: Central, found: _Found
) -> Iterator[Finding]:
    purpose = central.purposes.get(agreement.purpose)
    if purpose is None:
        known = ", ".join(sorted(central.purposes)) or f"none yet: add it to {central.file}"
        yield found(f"the purpose {agreement.purpose!r} does not exist", f"use one of: {known}")
        return
    roles = [role for name in agreement.roles if (role := contract.role(name)) is not None]
    try:
        terms = terms_of(roles, contract)
    except Conflicting as problem:
        yield found(str(problem), "make two agreements of it, for two purposes")
        return
    beyond: dict[str, list[str]] = {}
    for name in terms.columns:
        column, mask = contract.column(name), terms.masks.get(name)
        if mask is not None and KINDS[mask.kind].hides:
            continue
        if column.classification not in purpose.classifications:
            level = column.classification or "not classified"
            said = f"{name!r}" + ("" if mask is None else f" behind {mask}, which does not hide it")
            beyond.setdefault(level, []).append(said)
    allowed = ", ".join(sorted(purpose.classifications))
    for level, shown in beyond.items():
        yield found(
            f"it shows what is {level}: {', '.join(shown)}; the purpose {agreement.purpose!r} allows "
            f"{allowed}",
            "mask it in the role, leave it out of the role, or use another role or purpose",
        )
