"""What somebody changes who may write there is found in every store, on S3 and Snowflake stand-ins, too.

Belongs here: changes that every store can suffer, on one publication a store, undone one after the other.
Does not belong here: the command and signatures (tests/attesting, on the embedded stores).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared_resources.evidence.envelope import read_envelope, seal
from shared_resources.evidence.statement import canonical
from shared_resources.stores.cloud_warehouse.store import SnowflakeStore
from shared_resources.stores.protocol import ProductStore
from tests.stores.places import Place
from tests.stores.products import WHY, contract, publish
from tests.stores.test_attested import found

SALES = contract()
KEY = SALES.key
BATCHES = ("batch-first", "batch-second", "batch-third")


@dataclass
class Tampered:
    """The published product in one store, and how what lies there is changed."""

    place: Place
    store: ProductStore
    before: Path
    undo: list[Callable[[], object]] = field(default_factory=list)

    @property
    def envelopes(self) -> Path:
        folder = self.place.root.with_name(f"{self.place.root.name}-attestations")
        return folder / KEY / self.store.name

    def envelope(self, number: int) -> Path:
        (file,) = self.envelopes.glob(f"v{number:08d}-*.json")
        return file

    def property(self, number: int, name: str) -> str:
        (version,) = (v for v in self.store.versions(KEY) if v.number == number)
        return version.properties[name]

    def retell(self, old: str, new: str) -> None:
        """Have another text in all that the store keeps of its versions, with its digests right."""
        self._replace(old, new)
        self.undo.append(lambda: self._replace(new, old))

    def restore(self) -> None:
        for undo in reversed(self.undo):
            undo()
        self.undo.clear()
        shutil.rmtree(self.envelopes)
        shutil.copytree(self.before, self.envelopes)

    def _replace(self, old: str, new: str) -> None:
        match self.place.store:
            case "lake":
                for file in self.place.root.rglob("*.metadata.json"):
                    file.chmod(0o600)
                    file.write_text(file.read_text().replace(old, new))
            case "warehouse":
                root = self.place.root / KEY
                for file in (*root.glob("versions/v*.json"), *root.glob("spare/v*")):
                    self._manifest(file, old, new)
            case "lake-s3":
                self._objects(old, new)
            case _:
                assert isinstance(self.store, SnowflakeStore)
                for table in ("heads", "versions"):
                    self.store.session.execute(
                        f'UPDATE "order__versions"."{table}" '
                        'SET "evidence" = REPLACE("evidence", ?, ?)',
                        [old, new],
                    )

    def _manifest(self, file: Path, old: str, new: str) -> None:
        head, body, _ = file.read_bytes().replace(old.encode(), new.encode()).splitlines()
        sha256 = hashlib.sha256(head + b"\n" + body).hexdigest()
        lines = (head, body, json.dumps({"sha256": sha256}).encode())
        file.chmod(0o600)
        file.write_bytes(b"".join(line + b"\n" for line in lines))

    def _objects(self, old: str, new: str) -> None:
        import boto3

        client = boto3.client("s3")
        for bucket in client.list_buckets()["Buckets"]:
            listed = client.list_objects_v2(Bucket=bucket["Name"]).get("Contents", ())
            for one in (one for one in listed if one["Key"].endswith(".metadata.json")):
                at = {"Bucket": bucket["Name"], "Key": one["Key"]}
                text = client.get_object(**at)["Body"].read().decode()
                client.put_object(**at, Body=text.replace(old, new).encode())
        shutil.rmtree(self.place.root / "copies", ignore_errors=True)

    def lose_rows(self) -> None:
        """The newest version's rows, or some of them."""
        if isinstance(self.store, SnowflakeStore):
            found = self.store.session.query(
                'SELECT "table_name" FROM "order__versions"."heads" WHERE "product" = ?', ["sales"]
            )
            table = f'"order__versions"."{found.rows[0][0]}"'
            self.store.session.execute(f'DELETE FROM {table} WHERE "id" = 3')
            return
        (file,) = self.store.open(KEY).paths()
        if self.place.store == "lake-s3":
            self._lose_object(file.stat().st_size)
            return
        raw = bytearray(file.read_bytes())
        raw[len(raw) // 2] ^= 1
        file.chmod(0o600)
        file.write_bytes(raw)

    def _lose_object(self, size: int) -> None:
        import boto3

        client = boto3.client("s3")
        for bucket in client.list_buckets()["Buckets"]:
            listed = client.list_objects_v2(Bucket=bucket["Name"]).get("Contents", ())
            for one in (o for o in listed if o["Key"].endswith(".parquet") and o["Size"] == size):
                at = {"Bucket": bucket["Name"], "Key": one["Key"]}
                raw = bytearray(client.get_object(**at)["Body"].read())
                raw[len(raw) // 2] ^= 1
                client.put_object(**at, Body=bytes(raw))
        shutil.rmtree(self.place.root / "copies", ignore_errors=True)


def edit(number: int, **changed: Any) -> Callable[[Tampered], object]:
    def change(t: Tampered) -> None:
        statement = read_envelope(t.envelope(number).read_bytes()).statement
        statement["predicate"].update(changed)
        t.envelope(number).write_bytes(seal(canonical(statement), None).written())

    return change


def renamed(number: int, **changed: Any) -> Callable[[Tampered], object]:
    """Another statement in the place of a version's, which the store names by its digest."""

    def change(t: Tampered) -> None:
        file = t.envelope(number)
        statement = read_envelope(file.read_bytes()).statement
        statement["predicate"].update(changed)
        envelope = seal(canonical(statement), None)
        old = file.stem.partition("-")[2]
        file.unlink()
        (file.parent / f"v{number:08d}-{envelope.digest}.json").write_bytes(envelope.written())
        t.retell(old, envelope.digest)

    return change


def newest(**changed: Any) -> Callable[[Tampered], object]:
    def change(t: Tampered) -> None:
        file = t.envelopes / "newest.json"
        statement = read_envelope(file.read_bytes()).statement
        statement["predicate"]["newest"].update(changed)
        file.write_bytes(seal(canonical(statement), None).written())

    return change


def said(number: int, name: str, new: str) -> Callable[[Tampered], object]:
    return lambda t: t.retell(t.property(number, name), new)


NO = "7" * 64
CASES: dict[str, tuple[Callable[[Tampered], object], str]] = {
    "no envelope": (lambda t: t.envelope(2).unlink(), "envelope-missing 2"),
    "no envelopes": (
        lambda t: [file.unlink() for file in t.envelopes.glob("v*")],
        "envelope-missing 1",
    ),
    "a broken envelope": (lambda t: t.envelope(2).write_bytes(b"{"), "envelope-broken 2"),
    "an empty envelope": (lambda t: t.envelope(3).write_bytes(b""), "envelope-broken 3"),
    "another statement": (edit(2, kind="mine"), "envelope-changed 2"),
    "another result": (edit(3, committed={}), "envelope-changed 3"),
    "another's envelope": (
        lambda t: shutil.copyfile(t.envelope(1), t.envelope(2)),
        "envelope-changed 2",
    ),
    "another statement, committed": (renamed(2, kind="mine"), "chain-broken 3"),
    "another product's statement": (renamed(2, product="order/other"), "statement-of-another 2"),
    "another version's statement": (renamed(2, version=7), "statement-of-another 2"),
    "another store's statement": (renamed(2, store="cellar"), "statement-of-another 2"),
    "no link": (renamed(2, previous=None), "chain-broken 2"),
    "another link": (renamed(3, previous={"version": 1, "attestation": NO}), "version-foreign 3"),
    "a link to nothing": (
        renamed(3, previous={"version": 2, "attestation": NO}),
        "chain-broken 3",
    ),
    "other data attested": (
        renamed(2, data={"digest": NO, "files": 1, "rows": 1, "listed": "", "rowsOf": {}}),
        "files-changed 2",
    ),
    "other facts attested": (renamed(2, committed={}), "committed-changed 2"),
    "other terms attested": (renamed(4, terms={"mine": 1}), "chain-broken 4"),
    "a broken note of the newest": (
        lambda t: (t.envelopes / "newest.json").write_bytes(b"x"),
        "envelope-broken None",
    ),
    "a newer one noted": (newest(version=9), "version-missing 9"),
    "another newest noted": (newest(attestation=NO), "chain-broken 4"),
    "an unknown attestation": (said(2, "mesh.attestation", NO), "envelope-missing 2"),
    "another batch": (said(2, "mesh.batch-id", "batch-others"), "committed-changed 2"),
    "another time": (
        said(2, "mesh.published-at", "2020-01-01T00:00:00+00:00"),
        "committed-changed 2",
    ),
    "another who rolled back": (said(4, "mesh.rollback-by", "mallory"), "committed-changed 4"),
    "another reason": (said(4, "mesh.rollback-reason", "a reason of mine"), "committed-changed 4"),
}


def test_whatever_is_changed_is_named(place: Place, tmp_path: Path) -> None:
    store = place.open()
    for number, batch in enumerate(BATCHES, 1):
        publish(store, SALES, batch, [number, 3])
    store.rollback(SALES, 2, WHY, batch_id="batch-back")
    t = Tampered(place, store, tmp_path / "before")
    shutil.copytree(t.envelopes, t.before)
    assert found(place) == []
    missed = {}
    for name, (change, wanted) in CASES.items():
        change(t)
        if wanted not in (named := found(place)):
            missed[name] = f"{wanted} is not among {named}"
        t.restore()
    assert missed == {}
    assert found(place) == []
    t.lose_rows()
    assert [one for one in found(place) if one.endswith((" 2", " 4"))]
