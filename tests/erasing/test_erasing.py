"""`mesh erase` on a small mesh: what is found, what is refused, going on, applying the journal again."""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.contracts.model import Column
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.data_products import publishing
from shared_resources.erasing import carrying_out, in_text
from shared_resources.erasing.in_text import Words
from shared_resources.erasing.subjects import normal
from shared_resources.evidence import erasures
from shared_resources.evidence.erasures import hashed, journal
from shared_resources.landing.errors import LandingError
from shared_resources.landing.zones.folder import FolderLandingZone
from shared_resources.stores.protocol import MovedOn
from tests.cli.commands import call
from tests.tiny_mesh import TinyMesh, column, contract_text, custom, failures

PEOPLE, COUNTS = "shop/people", "shop/counts"
LANDING = {"prefix": PEOPLE, "format": "csv", "object": "*.csv*"}
KEY = column("person", required=True, customProperties=custom(subject="customer"))


@pytest.fixture
def shop(mesh: TinyMesh) -> TinyMesh:
    """Persons 1, 2 and 30, of whom one is rejected for his age, and how many there are."""
    age = column("age", logicalTypeOptions={"minimum": 0})
    mesh.product(
        PEOPLE,
        contract_text(PEOPLE, [KEY, age], properties={"landing": LANDING, "lossBudgetPercent": 60}),
    )
    code = """
        import pandas as pd
        from shared_resources import data_product

        @data_product(people="shop/people")
        def counts(people: pd.DataFrame) -> pd.DataFrame:
            return pd.DataFrame({"people": [len(people)]})
    """
    mesh.product(COUNTS, contract_text(COUNTS, [column("people")]), code)
    mesh.land(f"{PEOPLE}/1.csv", "person,age\n1,20\n2,30\n30,40\n2,-1\n")
    assert mesh.run(PEOPLE).success and mesh.run(COUNTS).success
    return mesh


def people(mesh: TinyMesh, number: int | None = None) -> list[int]:
    return sorted(row["person"] for row in mesh.rows(PEOPLE, number))


def test_a_number_is_erased_where_it_is_a_key_and_nowhere_else(shop: TinyMesh) -> None:
    planned = call("erase", "--subject", "02", "--dry-run", "--json")
    assert {(one["place"], one["rows"]) for one in planned.json} == {
        ("landing", 2),
        ("quarantine", 1),
        ("lake", 1),
    }
    assert people(shop) == [1, 2, 30]
    erased = call("erase", "--subject", "02", "--as", "customer")
    assert erased.code == 0, erased
    assert "1 of kind customer" in erased.out and COUNTS in erased.out
    assert people(shop) == people(shop, 1) == [1, 30]
    (landed,) = (shop.environment.home / "landing").rglob("1.csv")
    assert landed.read_text() == "person,age\n1,20\n30,40\n"
    (entry,) = shop.environment.quarantine.list(PEOPLE)
    assert entry.rows == 0
    assert shop.environment.quarantine.rows(entry).read_all().num_rows == 0
    assert call("evidence", PEOPLE, "--verify").code == 0
    assert "1 rows by erasure" in call("evidence", PEOPLE, "--verify").out
    assert "customer" in call("erase", "--list").out


def test_the_file_that_was_rewritten_is_no_news(shop: TinyMesh) -> None:
    ledger = Ledger(shop.environment.state, PEOPLE)
    assert call("erase", "--subject", "2").code == 0
    lying = shop.environment.landing_zone.page(PEOPLE, "", 10).objects
    assert ledger.discover(lying).new == ()


def test_whoever_made_something_of_it_is_behind(shop: TinyMesh) -> None:
    assert call("erase", "--subject", "2").code == 0
    assert [version.number for version in shop.versions(PEOPLE)] == [1, 2]
    assert shop.run(COUNTS).success
    assert shop.rows(COUNTS) == [{"people": 2}]
    assert call("erase", "--subject", "77").code == 0
    assert len(shop.versions(PEOPLE)) == 2


def test_what_was_read_before_is_not_published_after(
    shop: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = publishing.product_lock

    def erased_first(environment: object, product: str) -> object:
        monkeypatch.setattr(publishing, "product_lock", once)
        assert call("erase", "--subject", "2").code == 0
        return once(shop.environment, product)

    shop.land(f"{PEOPLE}/2.csv", "person,age\n2,31\n5,6\n")
    monkeypatch.setattr(publishing, "product_lock", erased_first)
    refused = shop.run(PEOPLE)
    assert not refused.success and "was erased since this batch was begun" in failures(refused)
    assert people(shop) == [1, 30]
    monkeypatch.setattr(publishing, "CLOCKS", -publishing.CLOCKS)
    assert shop.run(PEOPLE).success
    assert people(shop) == [5]
    assert MovedOn.__name__ == "MovedOn"


def test_who_was_killed_goes_on_under_the_same_erasure(
    shop: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = shop.environment.attestor.place
    assert place is not None
    with monkeypatch.context() as patched:
        patched.setattr(carrying_out, "erase_in_stores", lambda *_: 1 / 0)
        assert call("erase", "--subject", "2").code != 0
    (begun,) = journal(place)
    assert begun.done_at is None and people(shop) == [1, 2, 30]
    assert "NOT DONE" in call("erase", "--list").out
    assert call("erase", "--subject", "2").code == 0
    (done,) = journal(place)
    assert done.id == begun.id and done.done_at is not None
    assert {place["place"] for place in done.places} >= {"landing", "quarantine", "lake"}
    assert people(shop) == [1, 30]


def test_the_journal_is_applied_to_what_a_restore_brought_back(
    shop: TinyMesh, tmp_path: Path
) -> None:
    home, backup, copy = shop.environment.home, tmp_path / "backup", tmp_path / "journal"
    shutil.copytree(home, backup)
    assert call("erase", "--again").out.startswith("nobody")
    assert call("erase", "--subject", "2").code == 0
    shutil.copytree(home / "attestations" / "erasures", copy)
    shutil.copytree(home / "access", tmp_path / "access")
    shutil.rmtree(home)
    shutil.copytree(backup, home)
    shutil.copytree(tmp_path / "access", home / "access", dirs_exist_ok=True)
    assert people(shop) == [1, 2, 30]
    again = call("erase", "--again", "--journal", copy, "--json")
    assert again.code == 0, again
    assert again.json[0]["reason"].startswith("applied again: erasure-")
    assert people(shop) == people(shop, 1) == [1, 30]
    assert call("erase", "--again", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name whom to erase"),
        (["--subject", "2", "--again"], "name whom to erase"),
        (["--subject", "2", "--journal", "."], "--journal goes with --again"),
        (["--again", "--journal", "."], "holds no entry of the journal"),
        (["--subject", "2", "--as", "dog"], "no contract declares keys of 'dog'"),
        (["--subject", ""], "nobody's key"),
        (["--subjects", "latin.txt"], "no text in UTF-8"),
        # A heading is nobody: its word would be taken out of every contract and event that says it.
        (["--subjects", "heading.txt"], "number 1 of those given is none"),
        (["--subject", "2", "--subject", "anna"], "whole numbers (person), and number 2"),
        (["--again", "--dry-run"], "--dry-run goes with --subject"),
    ],
)
def test_wrong_use_is_said(
    shop: TinyMesh, arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("latin.txt").write_bytes("Zoë".encode("latin-1"))
    Path("heading.txt").write_text("person\n2\n")
    refused = call("erase", *arguments)
    assert refused.code == 2 and said in refused.err, refused
    assert "anna" not in refused.err and people(shop) == [1, 2, 30]


def test_a_list_of_subjects_from_a_spreadsheet_is_understood(
    shop: TinyMesh, tmp_path: Path
) -> None:
    """Its byte order mark is no part of the first key: a certificate would say what was not done."""
    file = tmp_path / "subjects.txt"
    file.write_bytes(b"\xef\xbb\xbf1\r\n 30\r\n\r\n")
    planned = call("erase", "--subjects", file, "--dry-run", "--json").json
    assert {(one["place"], one["rows"]) for one in planned} == {("landing", 2), ("lake", 2)}


def test_a_subject_that_is_nowhere_is_said_to_be_nowhere(shop: TinyMesh) -> None:
    assert "has such a key" in call("erase", "--subject", "77", "--dry-run").out
    erased = call("erase", "--subject", "77")
    assert erased.code == 0 and "has such a key" in erased.out and COUNTS not in erased.out


def test_nobody_is_a_subject_where_no_contract_says_so(mesh: TinyMesh) -> None:
    mesh.product(PEOPLE, contract_text(PEOPLE, [column("person")]), "")
    refused = call("erase", "--subject", "2")
    assert refused.code == 2 and "no contract declares a subject's key" in refused.err


def test_an_erasure_that_nobody_signed_is_a_difference_where_keys_are_trusted(
    shop: TinyMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import subprocess

    key, public = tmp_path / "mesh.key", tmp_path / "mesh.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    monkeypatch.setenv("MESH_VERIFY_KEYS", str(public))
    assert call("erase", "--subject", "2").code == 0
    monkeypatch.setenv("MESH_SIGNING_KEY", str(key))
    shop.land(f"{PEOPLE}/3.csv", "person,age\n8,9\n")
    monkeypatch.setattr(publishing, "CLOCKS", -publishing.CLOCKS)
    assert shop.run(PEOPLE).success
    assert call("evidence", PEOPLE, "--verify").code == 0
    monkeypatch.delenv("MESH_SIGNING_KEY")
    assert call("erase", "--subject", "1").code == 0
    tampered = call("evidence", PEOPLE, "--verify")
    assert tampered.code == 1 and "DIFFERS" in tampered.out


def test_words_stand_alone_and_stay_as_long() -> None:
    words = Words({"anna-1", "anna-12"})
    assert words.out_of("anna-12, xanna-1, anna-1 anna-123") == "*******, xanna-1, ****** anna-123"
    assert not Words(()).found_in(b"anything") and "anna" not in repr(words)


def test_a_key_is_found_in_a_file_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, words = tmp_path / "a.log", Words({"anna-1", "anna-12"})
    text = "anna-12, xanna-1, anna-1 anna-123 anna-1"
    for size in range(1, len(text) + 2):
        monkeypatch.setattr(in_text, "_CHUNK", size)
        file.write_text(text)
        assert [*in_text.clean_folder(tmp_path, words)] == [file]
        assert file.read_text() == words.out_of(text), size


def test_a_landed_object_that_cannot_be_replaced_is_named_as_left(
    shop: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise LandingError("its earlier versions stay")

    monkeypatch.setattr(FolderLandingZone, "replace", refuse)
    erased = call("erase", "--subject", "2")
    assert erased.code == 1 and "1.csv of shop/people: its earlier versions stay" in erased.err
    assert people(shop) == [1, 30]


def test_keys_are_compared_as_they_are_written() -> None:
    number = Column("n", ColumnType(Family.INTEGER), "", None)
    text = Column("t", ColumnType(Family.STRING), "", None)
    assert normal(" +007 ", [number]) == "7" and normal("-0", [number]) == "0"
    assert normal("-07", [number]) == "-7" and normal("007", [text]) == "007"


def test_an_entry_of_the_journal_says_nobody() -> None:
    begun = erasures.begin("customer", {hashed((b"a", b"b"), "customer", "2")}, "me", "why")
    done = replace(begun, done_at=datetime.now(UTC))
    assert json.dumps(done.statement())
    assert erasures.name_of(begun, "0") != erasures.name_of(done, "0")
    assert hashed((b"a", b"b"), "customer", "2") != hashed((b"a", b"b"), "dog", "2")


def test_what_lies_under_a_former_name_of_the_key_is_found(mesh: TinyMesh) -> None:
    def declare(name: str, former: str = "") -> None:
        said = {"subject": "customer", **({"renamedFrom": former} if former else {})}
        key = column(name, required=True, customProperties=custom(**said))
        age = column("age", logicalTypeOptions={"minimum": 0})
        properties = {"landing": {**LANDING, "format": "jsonl", "object": "*.jsonl"}}
        text = contract_text(
            PEOPLE,
            [key, age],
            properties={**properties, "lossBudgetPercent": 60},
            version="2.0.0" if former else "1.0.0",
        )
        mesh.product(PEOPLE, text)

    declare("person")
    lines = ['{"person": 2, "age": 30}', '{"person": 30, "age": 40}', '{"person": 2, "age": -1}']
    mesh.land(f"{PEOPLE}/1.jsonl", "\n".join(lines) + "\n")
    assert mesh.run(PEOPLE).success
    declare("who", "person")
    erased = call("erase", "--subject", "2", "--json")
    assert erased.code == 0, erased
    found = {(one["place"], one["rows"]) for one in erased.json[0]["places"]}
    assert found == {("landing", 2), ("quarantine", 1), ("lake", 1)}
    (landed,) = (mesh.environment.home / "landing").rglob("1.jsonl")
    assert landed.read_text() == lines[1] + "\n"


def broken(text: str) -> bytes:
    return gzip.compress(text.encode())[:-9]


@pytest.mark.parametrize(
    ("name", "content", "left"),
    [
        pytest.param("2.csv.gz", broken("person,age\n2,20\n"), True, id="cut off"),
        pytest.param("2.csv.gz", gzip.compress(b'person,age\n2,"20\n'), True, id="no CSV"),
        pytest.param("2.csv", b'person,age\n2,"20\n', True, id="a short key"),
        pytest.param("2.csv", b'person,age\n31,"20\n', False, id="somebody else"),
        pytest.param("2.csv", b"", False, id="empty"),
    ],
)
def test_what_cannot_be_read_is_named_as_left(
    shop: TinyMesh, name: str, content: bytes, left: bool
) -> None:
    shop.land(f"{PEOPLE}/{name}", content)
    assert not shop.run(PEOPLE).success
    erased = call("erase", "--subject", "2")
    assert erased.code == int(left), erased
    places = ("landing", "quarantine") if left else ()
    assert all(f"LEFT {place} " in erased.err for place in places), erased.err
    assert ("LEFT" in erased.err) == left
    assert people(shop) == [1, 30]
