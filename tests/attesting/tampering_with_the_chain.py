"""What somebody could do to the order of versions, and to the envelopes that vouch for them.

Belongs here: the changes, one a function. Does not belong here: changes of what a version consists of
(`tampering.py`), what names them (the tests).
"""

from __future__ import annotations

import json
import shutil
from typing import Any

from shared_resources.evidence.envelope import Envelope, read_envelope, seal
from tests.attesting.attested import KEY, Attested, flip
from tests.attesting.tampering import Change, committed, predicate


def swap(attested: Attested) -> None:
    """Versions 2 and 3 change places: each says the other's number, all digests are right."""
    for file in (attested.manifest(2), attested.manifest(3)):
        shutil.copyfile(file, file.with_suffix(".other"))
    contents = {}
    for number, other in ((2, 3), (3, 2)):
        head, body, _ = attested.manifest(other).with_suffix(".other").read_bytes().splitlines()
        contents[number] = json.loads(head), json.loads(body)
    for number, (head, body) in contents.items():

        def change(
            into: dict[str, Any],
            into_body: dict[str, Any],
            head: dict[str, Any] = head,
            body: dict[str, Any] = body,
            number: int = number,
        ) -> None:
            into["properties"] = head["properties"] | {"mesh.version": str(number)}
            into_body.update(body)

        attested.edit_manifest(number, change)
        attested.manifest(number).with_suffix(".other").unlink()


def drop_version(attested: Attested, number: int) -> None:
    attested.manifest(number).unlink()
    for spare in (attested.home / "warehouse" / KEY / "spare").glob(f"v{number:08d}*"):
        spare.unlink()


def drop_snapshot(attested: Attested, number: int) -> None:
    def change(metadata: dict[str, Any]) -> None:
        gone = {
            s["snapshot-id"]
            for s in metadata["snapshots"]
            if s["summary"].get("mesh.version") == str(number)
        }
        metadata["snapshots"] = [s for s in metadata["snapshots"] if s["snapshot-id"] not in gone]
        metadata["refs"] = {
            name: ref for name, ref in metadata["refs"].items() if ref["snapshot-id"] not in gone
        }

    attested.edit_metadata(change)


def relink(attested: Attested) -> None:
    """Version 3 says that it was made on top of 1, signed by the mesh's own key; the commit names it."""
    first = attested.attestation("warehouse", 1)
    digest = attested.rewrite(
        attested.envelope("warehouse", 3),
        predicate(previous={"version": 1, "attestation": first}),
        attested.signer,
        rename=True,
    )
    attested.edit_manifest(3, committed("mesh.attestation", digest))


def rewrite_middle(attested: Attested, **changed: Any) -> None:
    """A statement in the middle is another, rightly signed, and the commit names it."""
    file = attested.envelope("warehouse", 3)
    digest = attested.rewrite(file, predicate(**changed), attested.signer, rename=True)
    attested.edit_manifest(3, committed("mesh.attestation", digest))


def resign(attested: Attested) -> None:
    """The same statement, signed by a stranger."""
    file = attested.envelope("warehouse", 3)
    file.write_bytes(seal(read_envelope(file.read_bytes()).payload, attested.stranger).written())


def resign_anew(attested: Attested) -> None:
    """A statement that says that a stranger signed it, and the stranger did, and the commit names it."""
    stranger = attested.stranger
    file = attested.envelope("warehouse", 5)
    digest = attested.rewrite(file, predicate(signedBy=stranger.key_id), stranger, rename=True)
    attested.edit_manifest(5, committed("mesh.attestation", digest))


def unsign(attested: Attested) -> None:
    file = attested.envelope("warehouse", 3)
    file.write_bytes(Envelope(read_envelope(file.read_bytes()).payload, {}).written())


def unsign_newest(attested: Attested) -> None:
    """The newest says that nobody signed it."""
    file = attested.envelope("warehouse", 5)
    digest = attested.rewrite(file, predicate(signedBy=None), None, rename=True)
    attested.edit_manifest(5, committed("mesh.attestation", digest))


def forge_signature(attested: Attested) -> None:
    file = attested.envelope("warehouse", 3)
    envelope = read_envelope(file.read_bytes())
    wrong = {key: bytes(64) for key in envelope.signatures}
    file.write_bytes(Envelope(envelope.payload, wrong).written())


def copy_signature(attested: Attested) -> None:
    """Version 3 with the signature of version 2, which is by the right key."""
    two, three = (read_envelope(attested.envelope("warehouse", n).read_bytes()) for n in (2, 3))
    attested.envelope("warehouse", 3).write_bytes(Envelope(three.payload, two.signatures).written())


def swap_envelopes(attested: Attested) -> None:
    """The rightly signed statement of version 2 in the place of version 3's."""
    shutil.copyfile(attested.envelope("warehouse", 2), attested.envelope("warehouse", 3))


def name_anothers(attested: Attested) -> None:
    """Version 3 names the rightly signed statement of version 2, which lies under its name."""
    digest = attested.attestation("warehouse", 2)
    place = attested.place("warehouse")
    shutil.copyfile(attested.envelope("warehouse", 2), place / f"v00000003-{digest}.json")
    attested.edit_manifest(3, committed("mesh.attestation", digest))


def remove_attestation(attested: Attested) -> None:
    attested.edit_manifest(3, lambda head, _: head["properties"].pop("mesh.attestation"))


def change_subject(attested: Attested) -> None:
    def change(statement: dict[str, Any]) -> None:
        statement["subject"][1]["digest"]["sha256"] = "0" * 64

    attested.rewrite(attested.envelope("warehouse", 3), change, attested.signer)


def drop(number: int) -> Change:
    return lambda a: drop_version(a, number)


def drop_in_lake(number: int) -> Change:
    return lambda a: drop_snapshot(a, number)


def lose_manifest(attested: Attested) -> None:
    attested.manifest(5).unlink()


def lose_envelope(store: str, number: int) -> Change:
    return lambda a: a.envelope(store, number).unlink()


def break_envelope(attested: Attested) -> None:
    attested.envelope("warehouse", 3).write_bytes(b"{")


def flip_envelope(attested: Attested) -> None:
    flip(attested.envelope("warehouse", 3))


def lose_terms(attested: Attested) -> None:
    rewrite_middle(attested, terms=None)


def break_newest(attested: Attested) -> None:
    (attested.place("warehouse") / "newest.json").write_bytes(b"x")
