"""Two major versions of a product at once: whom a pin leads to, who reads the earlier one, until when.

Belongs here: resolving `domain/product@1`, the earlier majors of a mesh with the products that read
them.
Does not belong here: the property (`contracts/reading/platform_properties.py`), what is said
about it (`governance/policies/`, `observing/`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date

from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import major
from shared_resources.findings import Finding
from shared_resources.mesh.model import Domain, Mesh, ProductFolder, ProductReference, key_of_pin

RULE = "sunset"


def resolved(product: ProductFolder, is_there: Callable[[str], bool]) -> ProductFolder:
    """The product with each pin of its inputs led to the product that has that major version."""
    if not any("@" in one.key for one in product.inputs):
        return product
    return replace(product, inputs=tuple(_led(one, is_there) for one in product.inputs))


def _led(given: ProductReference, is_there: Callable[[str], bool]) -> ProductReference:
    key = key_of_pin(given.key, is_there)
    return given if key == given.key else replace(given, key=key, pin=given.key)


def with_pins(domains: Collection[Domain]) -> tuple[Domain, ...]:
    """The domains with all of their pins resolved among themselves."""
    known = {product.key for domain in domains for product in domain.products}
    return tuple(
        replace(
            domain, products=tuple(resolved(one, known.__contains__) for one in domain.products)
        )
        if any("@" in given.key for one in domain.products for given in one.inputs)
        else domain
        for domain in domains
    )


@dataclass(frozen=True)
class EarlierMajor:
    """A product that is an earlier major version of `current`, and the keys of the products that read
    it. `lately` are the people, agents and teams who did of late by the access log, where that was
    asked."""

    key: str
    current: str
    major: int
    sunset: date
    readers: tuple[str, ...]
    lately: tuple[str, ...] = ()

    def is_over(self, today: date) -> bool:
        return self.sunset < today

    def __str__(self) -> str:
        parts = (
            f"read by {', '.join(self.readers)}" if self.readers else "",
            f"read lately, by the access log, by {', '.join(self.lately)}" if self.lately else "",
        )
        read = "; ".join(filter(None, parts)) or "nobody reads it"
        return f"major version {self.major} of {self.current} until {self.sunset}; {read}"


def earlier_major(mesh: Mesh, contract: Contract) -> EarlierMajor | None:
    """What the product is an earlier major of; None of any other."""
    previous = contract.previous_major
    if previous is None:
        return None
    readers = tuple(sorted(one.key for one in mesh.consumers(contract.key)))
    current = f"{contract.domain}/{previous.of}"
    return EarlierMajor(contract.key, current, major(contract.version), previous.sunset, readers)


def why_retired(earlier: EarlierMajor, contract: Contract, today: date) -> str | None:
    """Why an earlier major version is made no more: its sunset is over, and nobody reads it."""
    if not earlier.is_over(today) or earlier.readers or earlier.lately:
        return None
    return (
        f"{earlier.key} is retired: as {earlier}, and that is over. Remove its folder, or give it a "
        f"later sunset in {contract.path}"
    )


def past_sunset(mesh: Mesh, domain: Domain, today: date) -> Iterator[tuple[str, Finding]]:
    """A finding, with the product's key, for each place where the domain still names an earlier major
    version whose sunset is over, or a column by a former name that was promised until a day before."""
    contracts = {one.key: one.contract for one in mesh.products}
    for product in domain.products:
        for given in product.references:
            contract = contracts.get(given.key)
            for message, remedy in _old_names(given, contract, today):
                said = f"{product.key} reads {message}"
                yield product.key, Finding(given.file, given.line, RULE, said, remedy)
            earlier = earlier_major(mesh, contract) if contract is not None else None
            if earlier is None or not earlier.is_over(today):
                continue
            message = (
                f"{product.key} reads {given.pin or given.key}, version {earlier.major} of "
                f"{earlier.current}, whose sunset was {earlier.sunset}"
            )
            remedy = (
                f"read {earlier.current} as it is now, or agree on a later sunset with its owner"
            )
            yield product.key, Finding(given.file, given.line, RULE, message, remedy)


def _old_names(
    given: ProductReference, contract: Contract | None, today: date
) -> Iterator[tuple[str, str]]:
    """What is said of columns that are named as they were called, and what to do."""
    for column in contract.columns if contract is not None and given.columns else ():
        for one in column.former:
            if one.name in (given.columns or ()) and one.until is not None and one.until < today:
                yield (
                    f"the column {one.name} of {given.key}, which is called {column.name}; its old name "
                    f"was promised until {one.until}",
                    f"read {column.name}, or agree on a later day with the owner of {given.key}",
                )
