"""A domain as it is known elsewhere: what it promised when it was deployed, as files in a folder.

Belongs here: the form of that folder, written from a domain and read as one.
Does not belong here: where such folders are kept, and which is current (`registry/`).

A promise is `domain.yaml`, each product's contract and its agreements, and `promise.json`: how each
product is made and what it reads. It has no code. Its digest is over all of it, so that it cannot
change under its name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shared_resources.contracts.model import Contract
from shared_resources.findings import Finding, InvalidFile
from shared_resources.mesh.agreements.folder import FOLDER, agreement_files
from shared_resources.mesh.domain_file import read_domain_file
from shared_resources.mesh.model import (
    CONTRACT_FILE,
    DOMAIN_FILE,
    Domain,
    ProductFolder,
    ProductKind,
    ProductReference,
    is_product_key,
    pin_of,
)

RULE = "registry"


@dataclass(frozen=True)
class Registered:
    """`promises` are folders of domains' promises by the domains' names. `central` is the governance
    team's file, where that is registered, too."""

    promises: Mapping[str, Path] = field(default_factory=dict)
    central: Path | None = None


PROMISE_FILE = "promise.json"
_REMEDY = "deploy the domain again from its own files"


def promise_of(domain: Domain) -> dict[str, bytes]:
    """The files of the domain's promise, by their path in its folder."""
    files = {DOMAIN_FILE: domain.file.read_bytes()}
    products: dict[str, Any] = {}
    for product in domain.products:
        files[f"products/{product.name}/{CONTRACT_FILE}"] = product.contract_file.read_bytes()
        for agreement in agreement_files(product.folder):
            files[f"products/{product.name}/{FOLDER}/{agreement.name}"] = agreement.read_bytes()
        products[product.name] = {
            "kind": product.kind.value if product.kind else None,
            "inputs": [
                {
                    "product": one.pin or one.key,
                    "columns": None if one.columns is None else [*one.columns],
                }
                for one in product.inputs
            ],
        }
        if product.followed:
            products[product.name]["followed"] = [one.key for one in product.followed]
    said = {"domain": domain.name, "products": products}
    files[PROMISE_FILE] = json.dumps(said, indent=1, sort_keys=True).encode()
    return files


def promise_digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over the files and their paths, in hex."""
    digest = hashlib.sha256()
    for path, content in sorted(files.items()):
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def promise_files(folder: Path) -> dict[str, bytes]:
    """What `promise_of` made and somebody wrote to the folder."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def read_promised(
    folder: Path, read_contract: Callable[[Path], tuple[Contract, Mapping[str, int]]]
) -> Domain:
    """The domain whose promise lies in `folder`, which is `…/DIGEST/NAME`.

    Never raises for what stands in the files: that becomes the domain's `findings`.
    """
    files = promise_files(folder) if folder.is_dir() else {}
    if promise_digest(files) != folder.parent.name:
        wrong = Finding(folder, 0, RULE, "the promise is not the one that was registered", _REMEDY)
        return Domain(folder.name, folder, findings=(wrong,), registered=True)
    said = json.loads(files[PROMISE_FILE])
    findings: list[Finding] = []
    products = []
    for name, product in sorted(said["products"].items()):
        place = folder / "products" / name
        contract: Contract | None = None
        lines: Mapping[str, int] = {}
        try:
            contract, lines = read_contract(place / CONTRACT_FILE)
        except InvalidFile as invalid:  # of a platform that reads contracts otherwise
            findings += invalid.findings
        products.append(
            ProductFolder(
                domain=folder.name,
                name=name,
                folder=place,
                contract=contract,
                kind=ProductKind(product["kind"]) if product["kind"] else None,
                inputs=tuple(_inputs(product["inputs"], folder / PROMISE_FILE)),
                followed=tuple(_followed(product, folder / PROMISE_FILE)),
                lines=lines,
            )
        )
    domain = read_domain_file(folder, tuple(products), findings)
    return replace(domain, registered=True)


def _inputs(said: list[dict[str, Any]], file: Path) -> list[ProductReference]:
    return [
        ProductReference(
            one["product"], None if one["columns"] is None else tuple(one["columns"]), file, 0
        )
        for one in said
        if is_product_key(one["product"]) or pin_of(one["product"])
    ]


def _followed(product: Mapping[str, Any], file: Path) -> list[ProductReference]:
    """None in the promise of a platform that did not know of them."""
    keys = (key for key in product.get("followed", ()) if is_product_key(key))
    return [ProductReference(key, None, file, 0) for key in keys]
