"""Verdicts on contracts: what a change does to those who rely on a product, and who they are.

Belongs here: each product beside what it was at the base, and beside what is published.
Does not belong here: what a break is (`contracts/changes/`), whom it hits (`comparing/`), what is
published (`data_products/compared/breaks.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared_resources.comparing.changed import Changed, Verdict, gone, product_changes
from shared_resources.comparing.published import beside_published
from shared_resources.contracts.changes.change import Effect
from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import Break
from shared_resources.data_products.compared.breaks import (
    RULE,
    Compared,
    break_finding,
)
from shared_resources.data_products.compared.consumers import Hit, consumers_hit, in_words
from shared_resources.environment import Environment
from shared_resources.findings import Finding
from shared_resources.mesh import Domain, Mesh, ProductFolder
from shared_resources.reviewing.cases import Base, Case, Kind, Outcome


@dataclass(frozen=True)
class Before:
    """The mesh as it was at the base."""

    base: Base
    mesh: Mesh


def own_domain(mesh: Mesh, name: str) -> Domain | None:
    """The domain, if its files are here: of others there is nothing to review."""
    return next((one for one in mesh.own_domains if one.name == name), None)


def against_base(before: Before, mesh: Mesh, name: str) -> Iterator[Case]:
    """A case for each product that the domain has, or had at the base."""
    now, earlier = own_domain(mesh, name), own_domain(before.mesh, name)
    products = {one.name: one for one in (now.products if now else ())}
    was = {one.name: one for one in (earlier.products if earlier else ())}
    for product in products.values():
        yield _of_product(before, mesh, product, was.pop(product.name, None))
    for product in was.values():
        yield _gone(before, mesh, product)


def against_published(environment: Environment, mesh: Mesh, domain: Domain) -> Iterator[Case]:
    """A case for each product of the domain that has been published."""
    for product, contract in domain.contracts:
        if contract.key != product.key:
            continue
        beside = beside_published(environment, mesh, product, contract)
        if not beside.published and not beside.findings:
            continue
        yield _published(product, contract, beside)


def _of_product(
    before: Before, mesh: Mesh, product: ProductFolder, earlier: ProductFolder | None
) -> Case:
    found = product_changes(mesh, earlier, product, str(before.base))
    key, verdict = product.key, found.verdict
    now, was = product.contract, earlier.contract if earlier is not None else None
    if verdict is Verdict.NEW:
        return _case(key, before, verdict, f"{key} is new")
    if now is None or was is None:
        which = "" if now is None else f" of {before.base}"
        said = f"{key}: the contract{which} is not valid, so nobody can say what changes"
        return _case(key, before, verdict, said, Outcome.SKIPPED)
    if verdict is Verdict.BREAKING:
        return _breaking(before, mesh, product, now, found)
    versions = {"from": found.before, "to": found.now}
    if found.refused:
        said = f"{key}: the version goes back from {found.before} to {found.now}"
        remedy = f"say {found.before}, or a higher one if the contract has changed"
        line = product.line("version")
        note = Finding(product.contract_file, line, RULE, said, remedy)
        return _case(
            *(key, before, Verdict.BREAKING, note.message, Outcome.FAILED, (note,)),
            {"versions": versions},
        )
    worded = verdict is Verdict.COSMETIC
    said = f"{key}: {'worded otherwise than at' if worded else f'{verdict} with'} {before.base}"
    return _case(key, before, verdict, said, facts={"versions": versions})


def _breaking(
    before: Before, mesh: Mesh, product: ProductFolder, now: Contract, found: Changed
) -> Case:
    breaks = tuple(one for one in found.changes if one.effect is Effect.BREAKING)
    hit = consumers_hit(mesh, product.key, breaks)
    facts: dict[str, object] = {
        "breaks": [one.message for one in breaks],
        "consumers": _told(hit),
        "versions": {"from": found.before, "to": found.now},
        "permitted": not found.refused,
    }
    if found.refused:
        at = f"at {before.base}"
        notes = [break_finding(mesh, product, now, one, found.before, at) for one in breaks]
        said = f"{product.key}: {_listed(breaks)}; {in_words(hit) or _NOBODY}"
        return _case(*(product.key, before, Verdict.BREAKING, said, Outcome.FAILED, notes), facts)
    said = (
        f"{product.key}: version {found.now} breaks what {found.before} promised: "
        f"{_listed(breaks)}; " + (f"it breaks {in_words(hit)}" if hit else _NOBODY)
    )
    line = product.line("version")
    note = Finding(product.contract_file, line, RULE, said, "tell the consumers when it comes")
    return _case(*(product.key, before, Verdict.BREAKING, said, Outcome.WARNING, (note,)), facts)


def _gone(before: Before, mesh: Mesh, product: ProductFolder) -> Case:
    found = gone(mesh, product, str(before.base))
    readers = found.readers
    said = f"{product.key} is gone; " + (
        f"it is read by {', '.join(readers)}" if readers else _NOBODY
    )
    remedy = found.refused or "what is published of it stays until somebody drops it"
    # Of a file that is gone there is no line; where the domain is, CI shows its domain.yaml.
    note = Finding(found.file, 0, RULE, said, remedy)
    outcome = Outcome.FAILED if readers else Outcome.WARNING
    return _case(
        *(product.key, before, Verdict.GONE, said, outcome, (note,)),
        {"consumers": _told(dict.fromkeys(readers, ()))},
    )


def _published(product: ProductFolder, contract: Contract, beside: Compared) -> Case:
    facts: dict[str, object] = {"against": beside.published or "what is published"}
    facts["versions"] = {"from": beside.contract_version, "to": contract.version}
    facts["consumers"] = _told(beside.hit)
    name = f"{product.key} against what is published"
    if beside.findings:
        said = "; ".join(found.message for found in beside.findings)
        facts |= {"verdict": Verdict.BREAKING.value, "permitted": False}
        return Case(Kind.CONTRACT, name, Outcome.FAILED, said, beside.findings, facts)
    if beside.permitted:
        said = (
            f"{product.key}: version {contract.version} breaks what {beside.published} promised: "
            f"{_listed(beside.permitted)}; {in_words(beside.hit) or _NOBODY}"
        )
        line = product.line("version")
        note = Finding(product.contract_file, line, RULE, said, "tell the consumers when it comes")
        facts |= {"verdict": Verdict.BREAKING.value, "permitted": True}
        return Case(Kind.CONTRACT, name, Outcome.WARNING, said, (note,), facts)
    facts["verdict"] = Verdict.COMPATIBLE.value
    said = f"{product.key}: compatible with {beside.published}"
    return Case(Kind.CONTRACT, name, Outcome.PASSED, said, facts=facts)


_NOBODY = "nothing in this mesh reads it"


def _told(hit: Hit) -> list[dict[str, object]]:
    return [{"product": one, "columns": list(columns)} for one, columns in hit.items()]


def _listed(breaks: Sequence[Break]) -> str:
    return ", ".join(one.message for one in breaks)


def _case(
    key: str,
    before: Before,
    verdict: Verdict,
    said: str,
    outcome: Outcome = Outcome.PASSED,
    findings: Sequence[Finding] = (),
    facts: Mapping[str, object] | None = None,
) -> Case:
    told = {"verdict": verdict.value, "against": str(before.base), **(facts or {})}
    name = f"{key} against {before.base.ref}"
    return Case(Kind.CONTRACT, name, outcome, said, tuple(findings), told)
