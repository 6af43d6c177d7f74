"""Reading a product from anywhere: a notebook, a service, `mesh read`.

Belongs here: `read`, the door for consumers outside Dagster; in a product's code it is no other door.
Does not belong here: inputs of products (`data_products/makers/`), who may read what (`access/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from shared_resources import wiring
from shared_resources.access.door import open_for, reader_here
from shared_resources.confinement.guard import Declared, DomainCode, NotDeclared, running_here
from shared_resources.contracts.promise import major
from shared_resources.environment import Environment
from shared_resources.mesh.model import key_of_pin, pin_of
from shared_resources.mesh.read import read_product
from shared_resources.mesh.whereabouts import is_there
from shared_resources.problems import MeshProblem
from shared_resources.stores.reading.frames import as_frame


class NoSuchMajor(MeshProblem):
    """A reader pins a major version that there is not; the message says which there is."""

    exit_code = 2


def product_meant(environment: Environment, text: str) -> str:
    """The key of the product that is meant by its key, or by a pin of its major version.

    Raises `NoSuchMajor` for a pin that would lead to another: whoever pins says that he cannot read it.
    """
    pin = pin_of(text)
    if pin is None:
        return text
    key = key_of_pin(text, partial(is_there, environment))
    folder = read_product(environment, key, anew=False)
    if folder is not None and folder.contract is not None:
        _hold(pin, key, folder.contract.version)
    return key


def _hold(pin: tuple[str, int], key: str, version: str) -> None:
    if version and major(version) != pin[1]:
        raise NoSuchMajor(
            f"{pin[0]}@{pin[1]} is not there: {key} is of version {version}, and there is no "
            f"{pin[0]}_v{pin[1]}; read {key}@{major(version)}, or {key} as it is"
        )


def read(
    product: str,
    *,
    columns: Sequence[str] | None = None,
    version: int | None = None,
    as_type: Any = None,
    as_principal: str | None = None,
    purpose: str | None = None,
) -> Any:
    """The published rows of `domain/product`, or of a major version of it, `domain/product@1`; whole
    versions only, as far as they are granted.

    `as_type` is a pandas (default) or polars frame, a `pyarrow.Table`, or a
    `pyarrow.RecordBatchReader` for more than fits in memory. `as_principal` is who reads: a domain, a
    product, a person or an agent; without it whom `MESH_PRINCIPAL` names, or on an embedded mesh its
    operator. `purpose` chooses between several agreements. Raises `NoAgreement`, `NotPublished`,
    `NoSuchMajor`, `UnsupportedFrame`, `KeyError` for a column that the product does not have or show, and
    `NotDeclared` in the code of a product that does not name this one among its inputs.
    """
    code = running_here()
    if code is not None:
        pinned = _pinned(code, product, columns, version)
        return as_frame(pinned.snapshot, as_type, pinned.columns)
    environment = wiring.current()
    product = product_meant(environment, product)
    reader = reader_here(environment, as_principal, purpose, by="read()")
    return as_frame(open_for(environment, product, reader, version, columns), as_type, columns)


def _pinned(
    code: DomainCode, product: str, columns: Sequence[str] | None, version: int | None
) -> Declared:
    """What the product's code declares, at the version of its run: as if it were its parameter."""
    pin, product = pin_of(product), key_of_pin(product, code.inputs.__contains__)
    declared = code.inputs.get(product)
    if declared is None:
        raise NotDeclared(
            f"{code.whose} reads {product}, which it does not declare; name it in "
            f"@data_product(rows={product!r}) and take it as a parameter"
        )
    pinned = declared.snapshot.version.number
    if version not in (None, pinned):
        raise NotDeclared(
            f"{code.whose} reads version {version} of {product}, but its run has pinned version "
            f"{pinned}; leave the version out"
        )
    evidence = declared.snapshot.version.evidence_or_none
    if pin is not None and evidence is not None:
        _hold(pin, product, evidence.contract_version)
    beyond = [name for name in columns or () if name not in (declared.columns or columns or ())]
    if beyond:
        raise NotDeclared(
            f"{code.whose} reads {', '.join(beyond)} of {product}, which it does not declare; name "
            "them in product_input()"
        )
    return Declared(declared.snapshot, declared.columns if columns is None else tuple(columns))
