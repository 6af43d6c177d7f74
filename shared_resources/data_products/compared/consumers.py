"""Who relies on a product: the consumers that a break of its contract hits, and by which columns.

Belongs here: the sources that know of consumers, one function each, and what a break does to them.
Does not belong here: what a break is (`contracts/`), comparing anything (`breaks.py`, `comparing/`).

A further source of files is one more function in `SOURCES`. Who read without declaring it is not known
from files (`read_lately.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from shared_resources.contracts.promise import Break, in_development, may_break
from shared_resources.mesh import Mesh
from shared_resources.mesh.agreements.folder import agreement_files, read_all

# The consumers of what breaks, each with the columns that it uses of it.
Hit = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Use:
    """What a consumer, by its name, reads of a product; `columns` is None where it reads them all."""

    consumer: str
    columns: tuple[str, ...] | None


def _declared(mesh: Mesh, key: str) -> Iterator[Use]:
    """The products that name it: as an input of their code, or in a relationship."""
    for consumer in mesh.consumers(key):
        for reference in consumer.references:
            if reference.key == key:
                yield Use(consumer.key, reference.columns)


def _agreed(mesh: Mesh, key: str) -> Iterator[Use]:
    """Whoever an agreement in force shows it, beyond what products declare: teams, people, agents."""
    try:
        product = mesh.product(key)
    except KeyError:
        return
    contract, now = product.contract, datetime.now(UTC)
    if contract is None:
        return
    for agreement in read_all(agreement_files(product.folder))[0]:
        roles = [role for name in agreement.roles if (role := contract.role(name)) is not None]
        if not agreement.in_force(now) or not roles or agreement.consumer.product:
            continue  # what a product reads, it declares
        if any(role.columns is None for role in roles):
            yield Use(str(agreement.consumer), None)
        else:
            shown = {name for role in roles for name in role.columns or ()}
            looked = {name for role in roles if role.rows for name in role.rows.types}
            yield Use(str(agreement.consumer), tuple(sorted(shown | looked)))


SOURCES: tuple[Callable[[Mesh, str], Iterable[Use]], ...] = (_declared, _agreed)


def uses(mesh: Mesh, key: str) -> Iterator[Use]:
    """Every use of the product that any source knows of; of a consumer there may be several. Who reads a
    column under a name that it had uses the column that it is now, too."""
    present = _present_names(mesh, key)
    for source in SOURCES:
        for use in source(mesh, key):
            now = {present[name] for name in use.columns or () if name in present}
            yield replace(use, columns=(*use.columns, *now)) if use.columns and now else use


def _present_names(mesh: Mesh, key: str) -> Mapping[str, str]:
    """By each name that a column of the product had, the name that it has."""
    try:
        contract = mesh.product(key).contract
    except KeyError:
        return {}
    columns = contract.columns if contract else ()
    return {one.name: column.name for column in columns for one in column.former}


def consumers_hit(mesh: Mesh, key: str, breaks: Iterable[Break]) -> Hit:
    """Each consumer that reads one of the columns, with those that it uses. What is about no column is
    about the whole product, and hits whoever reads it."""
    breaks = tuple(breaks)
    columns = {name for found in breaks for name in found.columns}
    whole = any(not found.columns for found in breaks)
    hit: dict[str, set[str]] = {}
    if not breaks:
        return {}
    for use in uses(mesh, key):
        used = columns if use.columns is None else columns & {*use.columns}
        if used or whole:
            hit.setdefault(use.consumer, set()).update(used)
    return {consumer: tuple(sorted(used)) for consumer, used in sorted(hit.items())}


def permitted(before: str, now: str, hit: Hit) -> bool:
    """Whether the contract's version `now` may break what `before` promised to those that it hits.

    A product below version 1.0.0 that nobody reads is being made: it may change as it likes.
    """
    return may_break(before, now) or (in_development(before) and not hit)


def in_words(hit: Hit) -> str:
    """`order/baskets (amount, day); order/sales`: the latter by what is about no column."""
    return "; ".join(f"{one} ({', '.join(used)})" if used else one for one, used in hit.items())
