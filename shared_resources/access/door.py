"""The door: the one place that hands out the rows of a product.

Belongs here: opening a version for a principal, and noting that it was read.
Does not belong here: what it may see (`grants.py`, `terms.py`), how that is shown
(`granted_snapshot.py`), and what the platform reads for itself, which nobody sees: audits, copies,
comparisons.

A grant is decided at each opening, from the agreements of that moment: who opens a version of last year
sees of it what his agreement of today says, and one that has ended opens nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from shared_resources.access.granted_snapshot import GrantedSnapshot, Secrets
from shared_resources.access.granted_sql import needs_key
from shared_resources.access.grants import Grant, NoAgreement, grant_of
from shared_resources.access.log import log_of, reading_of
from shared_resources.access.masking_key import hmac_keys
from shared_resources.access.principal import (
    OPERATOR,
    NoPrincipal,
    Principal,
    principal_named,
    product_principal,
)
from shared_resources.confinement.guard import platform_variables
from shared_resources.environment import Environment
from shared_resources.stores.opening import open_product
from shared_resources.stores.protocol import Snapshot

VARIABLE = "MESH_PRINCIPAL"


@dataclass(frozen=True)
class Reader:
    """Who is at the door. `by` is what reads in the principal's name, `run` the run that does."""

    principal: Principal
    purpose: str | None = None
    by: str = ""
    run: str = ""


def open_for(
    environment: Environment,
    product: str,
    reader: Reader,
    number: int | None = None,
    columns: Sequence[str] | None = None,
) -> Snapshot:
    """A published version as the reader may see it; `columns` are those that he means to read.

    Raises `NoAgreement`, and what `open_product` raises. Who may not see the product is not told
    whether it is published.
    """
    grant = grant_of(environment, product, reader.principal, reader.purpose)
    opened = open_product(environment, product, number, served=True)
    return _through(environment, opened, grant, reader, columns)


def admit(
    environment: Environment,
    snapshot: Snapshot,
    reader: Reader,
    columns: Sequence[str] | None = None,
) -> Snapshot:
    """A version that was opened already, as the reader may see it. Raises `NoAgreement`."""
    grant = grant_of(environment, snapshot.version.product, reader.principal, reader.purpose)
    return _through(environment, snapshot, grant, reader, columns)


def admit_product(
    environment: Environment,
    key: str,
    snapshots: Mapping[str, Snapshot],
    run: str,
    columns: Mapping[str, Sequence[str] | None] | None = None,
) -> dict[str, Snapshot]:
    """The inputs of the product `key`, as its agreements show them. Raises `NoAgreement`."""
    reader = Reader(product_principal(key), by=key, run=run)
    wanted = columns or {}
    return {
        name: admit(environment, snapshot, reader, wanted.get(name))
        for name, snapshot in snapshots.items()
    }


def reader_here(
    environment: Environment, principal: str | None, purpose: str | None, by: str
) -> Reader:
    """Who reads from a command or a notebook: the principal named, else `MESH_PRINCIPAL`'s.

    On a machine whose mesh is embedded it is its operator without either. Raises `NoPrincipal`.
    """
    named = principal or platform_variables().get(VARIABLE, "")
    if named:
        return Reader(principal_named(named), purpose, by)
    if environment.is_production:
        raise NoPrincipal(
            f"nobody is named who reads: give --as, as_principal=, or the variable {VARIABLE}"
        )
    return Reader(OPERATOR, purpose, by)


def sees_whole(environment: Environment, product: str, principal: str | None) -> bool:
    """Whether who reads from this command sees the product whole, and so what is kept beside it.

    In production nobody does who does not say who he is. Raises `NoPrincipal` for a name that is none.
    """
    if environment.is_production and not (principal or platform_variables().get(VARIABLE)):
        return False
    try:
        reader = reader_here(environment, principal, None, by="")
        return grant_of(environment, product, reader.principal).whole
    except NoAgreement:
        return False


def _through(
    environment: Environment,
    snapshot: Snapshot,
    grant: Grant,
    reader: Reader,
    columns: Sequence[str] | None,
) -> Snapshot:
    version = snapshot.version
    there = (
        snapshot.schema.names
    )  # what is not there is nobody's to see: no other role would show it
    if beyond := [name for name in grant.beyond(columns) if name in there]:
        shown = ", ".join(grant.terms.columns) if grant.terms else ""
        raise NoAgreement(
            f"{reader.principal} may not read {', '.join(beyond)} of {version.product}: its agreement "
            f"shows {shown}; ask for another role, or leave the column out"
        )
    agreement = grant.agreement
    log = log_of(environment.home_of_readers, environment.shared_access_log)
    noting = partial(
        reading_of,
        reader.principal,
        version.product,
        version.number,
        version.store,
        purpose=agreement.purpose if agreement else reader.purpose or "",
        agreement=agreement.id if agreement else "",
        by=reader.by,
        run=reader.run,
    )
    if grant.terms is None:
        log.begin(noting(columns))
        return snapshot

    def noted(read: Sequence[str]) -> Callable[[int], None]:
        return partial(log.end, log.begin(noting(read)))

    keys = hmac_keys(environment) if needs_key(grant.terms) else (b"", b"")
    return GrantedSnapshot(snapshot, grant, Secrets(*keys), noted)
