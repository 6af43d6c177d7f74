"""What a principal sees of a product, in words.

Belongs here: the explanation of a grant, column by column, and of a refusal.
Does not belong here: deciding (`grants.py`), printing (`cli/`).
"""

from __future__ import annotations

from dataclasses import dataclass

from shared_resources.access.grants import Grant
from shared_resources.contracts.model import Contract
from shared_resources.contracts.roles.masks import KINDS
from shared_resources.contracts.roles.model import Mask
from shared_resources.mesh.agreements.oaas import written


@dataclass(frozen=True)
class Explained:
    """`shown` says how the column is seen, empty where it is not."""

    column: str
    classification: str
    shown: str
    why: str


def explain_columns(grant: Grant, contract: Contract) -> list[Explained]:
    """Each column of the contract, in its order."""
    explained = []
    for column in contract.columns:
        level = column.classification.value if column.classification else "not classified"
        if grant.terms is None:
            shown, why = "as it is", "its own domain's"
        elif column.name not in grant.terms.columns:
            shown, why = "", f"no role of it: {_roles(grant)}"
        else:
            mask = grant.terms.masks.get(column.name)
            shown = "as it is" if mask is None else _masked(mask)
            why = _roles(grant)
        explained.append(Explained(column.name, level, shown, why))
    return explained


def explain_grant(grant: Grant) -> list[str]:
    """The agreement in sentences."""
    if grant.agreement is None and grant.terms is not None:
        return [f"{grant.principal} reads of {grant.product} what is open to everybody"]
    if grant.agreement is None:
        return [f"{grant.principal} sees {grant.product} whole: it needs no agreement"]
    agreement, terms = grant.agreement, grant.terms
    said = [
        f"{grant.principal} reads {grant.product} for {agreement.purpose}, in {_roles(grant)}, by the "
        f"agreement {agreement.file}"
    ]
    if agreement.decided_at is not None:
        said.append(f"approved by {agreement.decided_by} at {written(agreement.decided_at)}")
    said.append(f"until {written(agreement.ends)}" if agreement.ends else "without an end")
    if agreement.reassessment:
        said.append(f"to be looked at again by {written(agreement.reassessment)}")
    if terms is not None and terms.rows:
        said.append("the rows where " + " or ".join(f"({row.text.strip()})" for row in terms.rows))
    else:
        said.append("all rows")
    return said


def _roles(grant: Grant) -> str:
    if grant.agreement is None:
        return "what is open to everybody"
    names = grant.agreement.roles
    return f"the role{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _masked(mask: Mask) -> str:
    return f"{KINDS[mask.kind].says} ({mask})"
