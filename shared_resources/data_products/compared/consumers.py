"""Who relies on a product: the consumers that a break of its contract hits, and by which columns.

Belongs here: the sources that know of consumers, one function each, and what a break does to them.
Does not belong here: what a break is (`contracts/`), comparing anything (`breaks.py`, `comparing/`),
which columns a model's statement reads (`model_columns.py`).

A further source of files is one more function in `SOURCES`. Who read without declaring it is not known
from files (`read_lately.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from shared_resources.contracts.changes.change import Change
from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import Break, in_development, may_break
from shared_resources.data_products.compared.model_columns import columns_read
from shared_resources.mesh import Mesh, ProductFolder, ProductKind
from shared_resources.mesh.agreements.folder import agreement_files, read_all
from shared_resources.mesh.agreements.model import Agreement, Consumer

# The consumers of what breaks, each with the columns that it uses of it.
Hit = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Use:
    """What a consumer, by its name, reads of a product; `columns` is None where it reads them all.

    `roles` are those that serve it, none for who is served as the owner. `agreed` is true of who has
    them and declares nothing: he uses what they show.
    """

    consumer: str
    columns: tuple[str, ...] | None
    roles: frozenset[str] = frozenset()
    agreed: bool = False


@dataclass(frozen=True)
class Read:
    """A product that is read: its folder, the agreements in force about it, and the columns that are
    asked about, which its contract may not have any more."""

    product: ProductFolder
    agreements: tuple[Agreement, ...]
    asked: frozenset[str]

    def roles_of(self, consumer: ProductFolder) -> frozenset[str]:
        """By which roles a product of another domain is served: its own agreement before its team's."""
        if consumer.domain != self.product.domain:
            for served in (Consumer(consumer.domain, consumer.name), Consumer(consumer.domain)):
                for agreement in self.agreements:
                    if agreement.consumer == served:
                        return frozenset(agreement.roles)
        return frozenset()


def _declared(mesh: Mesh, read: Read) -> Iterator[Use]:
    """The products that name it: as an input of their code, in a relationship, as what rows follow."""
    key = read.product.key
    for consumer in mesh.consumers(key):
        roles = read.roles_of(consumer)
        for reference in (*consumer.references, *consumer.followed):
            if reference.key != key:
                continue
            columns = reference.columns
            if columns is None and consumer.kind is ProductKind.DBT:
                columns = columns_read(mesh, consumer, key, read.asked)
            yield Use(consumer.key, columns, roles)


def _agreed(_: Mesh, read: Read) -> Iterator[Use]:
    """Whoever an agreement in force shows it, beyond what products declare: teams, people, agents."""
    contract = read.product.contract
    for agreement in read.agreements:
        if agreement.consumer.product:
            continue  # what a product reads, it declares
        shown = _shown(contract, agreement.roles) if contract is not None else None
        yield Use(str(agreement.consumer), shown, frozenset(agreement.roles), agreed=True)


def _shown(contract: Contract, roles: Sequence[str]) -> tuple[str, ...] | None:
    """The columns that the roles show, with those that decide which rows they show; None for all, and
    where a role is not there any more."""
    shown: set[str] = set()
    for name in roles:
        role = contract.role(name)
        if role is None or role.columns is None:
            return None
        shown |= {*role.columns, *(role.rows.types if role.rows else ())}
    return tuple(sorted(shown))


SOURCES: tuple[Callable[[Mesh, Read], Iterable[Use]], ...] = (_declared, _agreed)


def agreed_consumers(product: ProductFolder) -> tuple[str, ...]:
    """The teams, people and agents that an agreement in force shows the product."""
    read = Read(product, _in_force(product), frozenset())
    return tuple(sorted({use.consumer for use in _agreed(Mesh(product.folder, ()), read)}))


def uses(mesh: Mesh, key: str, asked: Collection[str] = ()) -> list[Use]:
    """Every use of the product that any source knows of; of a consumer there may be several. Who reads a
    column under a name that it had uses the column that it is now, too. `asked` are columns that it had.
    """
    try:
        product = mesh.product(key)
    except KeyError:
        return []
    read = Read(product, _in_force(product), frozenset(asked))
    present = present_names(product)
    found = []
    for use in (use for source in SOURCES for use in source(mesh, read)):
        now = {present[name] for name in use.columns or () if name in present}
        found.append(replace(use, columns=(*(use.columns or ()), *now)) if now else use)
    return found


def _in_force(product: ProductFolder) -> tuple[Agreement, ...]:
    agreements, now = read_all(agreement_files(product.folder))[0], datetime.now(UTC)
    return tuple(one for one in agreements if one.in_force(now))


def present_names(product: ProductFolder) -> Mapping[str, str]:
    """By each name that a column of the product had, the name that it has."""
    columns = product.contract.columns if product.contract else ()
    return {one.name: column.name for column in columns for one in column.former}


def consumers_hit(mesh: Mesh, key: str, breaks: Iterable[Break]) -> Hit:
    """Each consumer that one of the breaks hits, with the columns that it uses of it."""
    union: dict[str, set[str]] = {}
    for hit in hit_by_each(mesh, key, tuple(breaks)):
        for consumer, used in hit.items():
            union.setdefault(consumer, set()).update(used)
    return {consumer: tuple(sorted(used)) for consumer, used in sorted(union.items())}


def hit_by_each(mesh: Mesh, key: str, breaks: Sequence[Break]) -> list[Hit]:
    """By break the consumers that read one of its columns, with those that they use. What is about no
    column is about the whole product, and hits whoever reads it."""
    if not breaks:
        return []
    known = uses(mesh, key, {name for found in breaks for name in found.columns})
    hits: list[Hit] = []
    for found in breaks:
        hit: dict[str, set[str]] = {}
        for use in known:
            if (used := _used(use, found)) is not None:
                hit.setdefault(use.consumer, set()).update(used)
        hits.append({one: tuple(sorted(used)) for one, used in sorted(hit.items())})
    return hits


def _used(use: Use, found: Break) -> set[str] | None:
    """Which of the columns that the break is about are used so; None where it does not matter there."""
    columns = {*found.columns}
    if isinstance(found, Change):
        if found.role and found.role not in use.roles:
            return None
        if use.agreed and found.seen_by is not None:
            seen = [found.seen_by[role] for role in use.roles if role in found.seen_by]
            return {name for names in seen for name in names} if seen else None
    used = columns if use.columns is None else columns & {*use.columns}
    return used if used or not columns else None


def permitted(before: str, now: str, hit: Hit) -> bool:
    """Whether the contract's version `now` may break what `before` promised to those that it hits.

    A product below version 1.0.0 that nobody reads is being made: it may change as it likes.
    """
    return may_break(before, now) or (in_development(before) and not hit)


def in_words(hit: Hit) -> str:
    """`order/baskets (amount, day); order/sales`: the latter by what is about no column."""
    return "; ".join(f"{one} ({', '.join(used)})" if used else one for one, used in hit.items())
