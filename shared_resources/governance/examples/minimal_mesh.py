"""The mesh that examples of policies change: one domain, one product, nothing wrong with it.

Belongs here: its files, and writing them with an example's changes.
Does not belong here: changing one document (`changing.py`), asking a policy (`trying.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from shared_resources.governance.example import Example
from shared_resources.governance.examples.changing import changed
from shared_resources.mesh.model import CENTRAL_FILE, CODE_FILE, CONTRACT_FILE, DOMAIN_FILE

KEY = "shop/orders"
APPROVER = "governance@example.com"
_CENTRAL = {"approvers": [APPROVER]}


def write_mesh(root: Path, example: Example) -> None:
    """The example's mesh, as files below `root`. Raises `KeyError` for a path that leads nowhere."""
    products = {KEY: example.contract, **example.others}
    for key, changes in products.items():
        folder = _folder(root, key)
        folder.mkdir(parents=True)
        _write(folder / CONTRACT_FILE, changed(_contract(key), changes))
        (folder / CODE_FILE).write_text(_code(key), "utf-8")
    for name in {key.partition("/")[0] for key in products}:
        own = example.domain if name == "shop" else {}
        _write(root / "domains" / name / DOMAIN_FILE, changed(_domain(name), own))
    _write(root / "domains" / CENTRAL_FILE, changed(_CENTRAL, example.central))
    for file, text in _files(root, example):
        if text is None:
            file.unlink()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")


def _files(root: Path, example: Example) -> Iterator[tuple[Path, str | None]]:
    for path, text in example.files.items():
        yield (root if path.startswith("domains/") else _folder(root, KEY)) / path, text


def _folder(root: Path, key: str) -> Path:
    domain, _, name = key.partition("/")
    return root / "domains" / domain / "products" / name


def _write(file: Path, document: Any) -> None:
    file.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "utf-8")


def _code(key: str) -> str:
    name = key.partition("/")[2]
    return (
        "from shared_resources import data_product\n\n\n"
        f"@data_product()\ndef {name}():\n    return []\n"
    )


def _domain(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": "What is sold.",
        "archetype": "source-aligned",
        "owner": f"{name}@example.com",
        "owners": [f"{name}@example.com"],
        "contact": f"#{name}",
    }


def _contract(key: str) -> dict[str, Any]:
    domain, _, name = key.partition("/")
    return {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": key.replace("/", "-").replace("_", "-"),
        "name": name,
        "version": "1.0.0",
        "status": "active",
        "domain": domain,
        "description": {"purpose": "One row an order."},
        "team": {
            "name": domain,
            "members": [{"username": f"{domain}@example.com", "role": "owner"}],
        },
        "servers": [
            {
                "server": "lake",
                "type": "iceberg",
                "catalog": "mesh",
                "catalogUrl": "mesh://lake",
                "namespace": domain,
            }
        ],
        "slaProperties": [
            {"property": "latency", "value": 1, "unit": "d"},
            {"property": "retention", "value": 1, "unit": "y"},
        ],
        "schema": [
            {
                "name": name,
                "logicalType": "object",
                "properties": [
                    {
                        "name": "order_id",
                        "logicalType": "integer",
                        "physicalType": "BIGINT",
                        "description": "The number of the order.",
                        "classification": "internal",
                        "required": True,
                    },
                    {
                        "name": "note",
                        "logicalType": "string",
                        "physicalType": "VARCHAR",
                        "description": "What the packer is told.",
                        "classification": "internal",
                    },
                ],
            }
        ],
        "customProperties": [],
    }
