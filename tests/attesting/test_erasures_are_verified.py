"""Promise: an erasure that a version names is in the journal, as it was kept, and says what that says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared_resources.evidence.envelope import Envelope, Signer, read_envelope, read_signer, seal
from shared_resources.evidence.statement import canonical
from tests.attesting.attested import new_key
from tests.cli.commands import call
from tests.tiny_mesh import TinyMesh, column, contract_text, custom, tiny_mesh

PEOPLE = "shop/people"
LANDING = {"prefix": PEOPLE, "format": "csv", "object": "*.csv"}
KEY = column("person", required=True, customProperties=custom(subject="customer"))


@dataclass
class Journal:
    """The entries of two erasures, the second of which took rows from both versions."""

    folder: Path
    keys: Path

    @property
    def begun(self) -> Path:
        return sorted(self.folder.glob("*-begun.json"))[-1]

    @property
    def certificate(self) -> Path:
        return sorted(self.folder.glob("*-done-*.json"))[-1]

    @property
    def first(self) -> Path:
        return sorted(self.folder.glob("*-done-*.json"))[0]

    @property
    def signer(self) -> Signer:
        return read_signer(self.keys / "mesh.key")

    @property
    def stranger(self) -> Signer:
        return read_signer(self.keys / "stranger.key")

    def rewrite(
        self,
        file: Path,
        change: Callable[[dict[str, Any]], object],
        signer: Signer | None,
        *,
        rename: bool = True,
    ) -> None:
        """Change the statement, sign it, and call the file by its new digest."""
        statement = read_envelope(file.read_bytes()).statement
        change(statement)
        envelope = seal(canonical(statement), signer)
        file.unlink()
        if rename and "-done-" in file.name:
            file = file.with_name(f"{file.stem.rpartition('-')[0]}-{envelope.digest}.json")
        file.write_bytes(envelope.written())


@pytest.fixture(scope="module")
def erased(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TinyMesh, Path, Path]]:
    folder = tmp_path_factory.mktemp("erased")
    keys = folder / "keys"
    with pytest.MonkeyPatch.context() as patch, tiny_mesh(folder) as mesh:
        patch.setenv("MESH_SIGNING_KEY", str(new_key(keys, "mesh")))
        patch.setenv("MESH_VERIFY_KEYS", str(keys / "public"))
        new_key(keys, "stranger")
        text = contract_text(
            PEOPLE, [KEY], servers=("lake", "warehouse"), properties={"landing": LANDING}
        )
        mesh.product(PEOPLE, text)
        for number, rows in enumerate(("1\n2\n3\n30\n", "1\n2\n30\n30\n"), 1):
            mesh.land(f"{PEOPLE}/{number}.csv", f"person\n{rows}")
            assert mesh.run(PEOPLE).success
        for subject in ("3", "2"):
            assert call("erase", "--subject", subject).code == 0
        shutil.copytree(mesh.environment.home, folder / "before", symlinks=True)
        yield mesh, folder / "before", keys


@pytest.fixture
def journal(erased: tuple[TinyMesh, Path, Path]) -> Journal:
    mesh, before, keys = erased
    home = mesh.environment.home
    shutil.rmtree(home)
    shutil.copytree(before, home, symlinks=True)
    return Journal(home / "attestations" / "erasures", keys)


def predicate(**changed: Any) -> Callable[[dict[str, Any]], object]:
    return lambda statement: statement["predicate"].update(changed)


def fewer_rows(statement: dict[str, Any]) -> None:
    for place in statement["predicate"]["places"]:
        place["rows"] = 0 if place["place"] == "warehouse" else place["rows"]


def forget_a_version(statement: dict[str, Any]) -> None:
    places = statement["predicate"]["places"]
    statement["predicate"]["places"] = [p for p in places if p["place"] != "lake"]


def others(statement: dict[str, Any]) -> None:
    statement["predicate"]["subjects"] = ["0" * 64]


def unsigned(statement: dict[str, Any]) -> None:
    statement["predicate"]["signedBy"] = None


def edited_in_place(j: Journal) -> None:
    j.rewrite(j.certificate, predicate(reason="mine"), j.signer, rename=False)


def flipped(j: Journal) -> None:
    raw = json.loads(j.certificate.read_text())
    raw["payload"] = raw["payload"][:-8] + "AAAAAAA="
    j.certificate.write_text(json.dumps(raw))


def without_signature(j: Journal) -> None:
    payload = read_envelope(j.certificate.read_bytes()).payload
    j.certificate.write_bytes(Envelope(payload, {}).written())


CASES: dict[str, tuple[Callable[[Journal], object], str, str]] = {
    "no certificate": (lambda j: j.certificate.unlink(), "certificate-missing", "no certificate"),
    "no entry": (lambda j: j.begun.unlink(), "journal-missing", "-begun.json is not there"),
    "neither": (lambda j: shutil.rmtree(j.folder), "journal-missing", "has no entry"),
    "an empty certificate": (
        lambda j: j.certificate.write_bytes(b""),
        "certificate-broken",
        "done",
    ),
    "flipped": (flipped, "certificate-", "done"),
    "edited in place": (edited_in_place, "certificate-changed", "another statement"),
    "another reason": (
        lambda j: j.rewrite(j.certificate, predicate(reason="mine"), j.signer),
        "certificate-changed",
        "otherwise than the journal's entry",
    ),
    "another reason in the entry": (
        lambda j: j.rewrite(j.begun, predicate(reason="mine"), j.signer),
        "certificate-changed",
        "otherwise than the journal's entry",
    ),
    "fewer rows": (
        lambda j: j.rewrite(j.certificate, fewer_rows, j.signer),
        "erasure-differs",
        "says 0",
    ),
    "a version less": (
        lambda j: j.rewrite(j.certificate, forget_a_version, j.signer),
        "erasure-differs",
        "says none",
    ),
    "others": (
        lambda j: j.rewrite(j.certificate, others, j.signer),
        "certificate-changed",
        "lists others",
    ),
    "another time": (
        lambda j: j.rewrite(j.certificate, predicate(doneAt="2020-01-01T00:00:00+00:00"), j.signer),
        "certificate-changed",
        "another time",
    ),
    "another's certificate": (
        lambda j: shutil.copyfile(j.first, j.certificate),
        "certificate-of-another",
        "is the certificate of",
    ),
    "no signature": (without_signature, "signature-missing", "by nobody"),
    "nobody's": (
        lambda j: j.rewrite(j.certificate, unsigned, None),
        "unsigned",
        "attestation of it is signed",
    ),
    "a stranger's": (
        lambda j: j.rewrite(j.certificate, predicate(signedBy=j.stranger.key_id), j.stranger),
        "signer-unknown",
        "none of those",
    ),
    "a forged signature": (
        lambda j: j.rewrite(j.certificate, fewer_rows, j.stranger),
        "signature-missing",
        "instead",
    ),
}


def test_what_nobody_touched_is_as_it_was_kept(journal: Journal) -> None:
    done = call("evidence", PEOPLE, "--verify")
    assert done.code == 0 and done.out.count("REDACTED") == 6, done


@pytest.mark.parametrize("case", CASES)
def test_what_was_changed_is_named(journal: Journal, case: str) -> None:
    change, kind, names = CASES[case]
    change(journal)
    done = call("evidence", PEOPLE, "--verify", "--json")
    assert done.code == 1, done
    found = [one for proof in done.json for one in proof["differences"]]
    fitting = [one for one in found if kind in one["kind"] and names in one["text"]]
    assert fitting, "\n".join(one["text"] for one in found)
    assert {one["version"] for one in found} <= {1, 2}


def test_an_erasure_that_is_being_made_is_named(journal: Journal) -> None:
    for one in journal.folder.glob("*-done-*"):
        one.unlink()
    done = call("evidence", PEOPLE, "--verify")
    assert done.code == 1 and "`mesh erase --again` ends it" in done.out
    again = call("erase", "--again")
    assert "was not searched" in again.err or again.code == 0, again
    assert call("evidence", PEOPLE, "--verify").code == 0
