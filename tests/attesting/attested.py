"""A mesh whose versions are attested, and the ways in which somebody could change what is stored.

Belongs here: making that mesh, finding and changing its files. Does not belong here: what a
verification must say of a change (the tests).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from shared_resources.data_products.publishing import rollback
from shared_resources.evidence.envelope import Signer, read_envelope, read_signer, seal
from shared_resources.evidence.statement import canonical
from shared_resources.running.selection import product_contract
from shared_resources.testing.temporary_mesh import TemporaryMesh
from shared_resources.wiring import current
from tests.guarantees.orders import COLUMNS, KEY, orders_table
from tests.tiny_mesh import TinyMesh, column, contract_text

TOTALS = "order/totals"
POLICY = "no_undeclared_personal_data"
QUALITY = [
    {
        "name": "few_large",
        "type": "sql",
        "query": "SELECT count(*) FROM batch WHERE amount > 1000",
        "mustBeLessThan": 2,
        "description": "More are a mistake of the till.",
    },
]
CODE = """
    import polars as pl

    from shared_resources import data_product


    @data_product(orders="order/orders")
    def totals(orders: pl.LazyFrame) -> pl.LazyFrame:
        return orders.select(pl.col("amount").sum().alias("total"))
"""


def new_key(folder: Path, name: str) -> Path:
    """`<name>.key` in the folder, and its public half `<name>.pem` in `public/` below it."""
    key = Ed25519PrivateKey.generate()
    public = folder / "public"
    public.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.key"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (public if name == "mesh" else folder).joinpath(f"{name}.pem").write_bytes(pem)
    return file


def attested_mesh(mesh: TinyMesh, keys: Path, patch: pytest.MonkeyPatch) -> None:
    """Orders in both stores, in versions 1 to 5: the fourth a rollback to the second. Totals of the
    first and of the last. Every version is signed."""
    patch.setenv("MESH_SIGNING_KEY", str(new_key(keys, "mesh")))
    patch.setenv("MESH_VERIFY_KEYS", str(keys / "public"))
    new_key(keys, "stranger")
    until = (date.today() + timedelta(days=20)).isoformat()
    waiver = {
        "policy": POLICY,
        "product": "orders",
        "reason": "amounts look like card numbers",
        "approver": "governance@example.com",
        "expires": until,
    }
    mesh.domain("order", waivers=[waiver])
    servers = ["lake", "warehouse"]
    mesh.product(KEY, contract_text(KEY, COLUMNS, servers=servers, quality=QUALITY), "")
    mesh.product(
        KEY, contract_text(KEY, COLUMNS, servers=servers, quality=QUALITY, properties=LANDING)
    )
    mesh.product(TOTALS, contract_text(TOTALS, [column("total", "DOUBLE")], servers=servers), CODE)
    made = TemporaryMesh(current())
    for number in (1, 2, 3):
        made.publish(KEY, orders(number))
        if number == 1:
            made.make(TOTALS)
    environment = current()
    contract = product_contract(environment, KEY)
    rollback(environment, contract, 2, by="ada", reason="the third was half")
    made.publish(KEY, orders(5))
    made.make(TOTALS)


LANDING: dict[str, Any] = {
    "landing": {
        "prefix": "order/orders",
        "format": "parquet",
        "mode": "replace",
        "object": "*.parquet",
    }
}


def orders(number: int) -> pa.Table:
    return orders_table([float(number)] * (10 + number))


@dataclass
class Attested:
    """The files of the mesh, which a test may change as it likes."""

    root: Path
    home: Path
    keys: Path

    @property
    def signer(self) -> Signer:
        return read_signer(self.keys / "mesh.key")

    @property
    def stranger(self) -> Signer:
        return read_signer(self.keys / "stranger.key")

    def attestation(self, store: str, number: int, product: str = KEY) -> str:
        (version,) = (
            v
            for s in current().stores.values()
            if s.name == store
            for v in s.versions(product)
            if v.number == number
        )
        return version.properties["mesh.attestation"]

    def envelope(self, store: str, number: int, product: str = KEY) -> Path:
        (file,) = (self.home / "attestations" / product / store).glob(f"v{number:08d}-*.json")
        return file

    def place(self, store: str, product: str = KEY) -> Path:
        return self.home / "attestations" / product / store

    def data_file(self, store: str, number: int, product: str = KEY) -> Path:
        """The one file that holds the version's rows."""
        (one,) = (s for s in current().stores.values() if s.name == store)
        (file,) = one.open(product, number).paths()
        return file

    def rewrite(
        self,
        file: Path,
        change: Callable[[dict[str, Any]], object],
        signer: Signer | None = None,
        *,
        rename: bool = False,
    ) -> str:
        """Change an envelope's statement and sign it; its digest then. `rename`: after that, too."""
        statement = read_envelope(file.read_bytes()).statement
        change(statement)
        envelope = seal(canonical(statement), signer)
        target = file
        if rename:
            target = file.with_name(f"{file.name.split('-')[0]}-{envelope.digest}.json")
            file.unlink()
        target.write_bytes(envelope.written())
        return envelope.digest

    def manifest(self, number: int, product: str = KEY) -> Path:
        return self.home / "warehouse" / product / "versions" / f"v{number:08d}.json"

    def edit_manifest(
        self, number: int, change: Callable[[dict[str, Any], dict[str, Any]], object]
    ) -> None:
        """Change what a manifest says, its spare copy, and the SHA-256 that both hold of it."""
        head, body, _ = self.manifest(number).read_bytes().splitlines()
        parts = json.loads(head), json.loads(body)
        change(*parts)
        lines = [json.dumps(part).encode() for part in parts]
        lines.append(json.dumps({"sha256": hashlib.sha256(b"\n".join(lines)).hexdigest()}).encode())
        text = b"".join(line + b"\n" for line in lines)
        self.manifest(number).write_bytes(text)
        for spare in (self.home / "warehouse" / KEY / "spare").glob(f"v{number:08d}*"):
            spare.write_bytes(text)

    def edit_summary(self, number: int, change: Callable[[dict[str, str]], object]) -> None:
        """Change what the summary of a version's snapshot says, in the lake's newest metadata."""

        def edit(metadata: dict[str, Any]) -> None:
            for snapshot in metadata["snapshots"]:
                if snapshot["summary"].get("mesh.version") == str(number):
                    change(snapshot["summary"])

        self.edit_metadata(edit)

    def edit_metadata(self, change: Callable[[dict[str, Any]], object]) -> None:
        for file in (self.home / "lake" / KEY / "metadata").glob("*.metadata.json"):
            metadata = json.loads(file.read_text())
            change(metadata)
            file.chmod(0o600)
            file.write_text(json.dumps(metadata))


def flip(file: Path, place: float = 0.5) -> None:
    """One bit of the byte in the middle, or elsewhere."""
    raw = bytearray(file.read_bytes())
    raw[int(len(raw) * place)] ^= 1
    file.chmod(0o600)
    file.write_bytes(raw)
