"""`mesh erase` takes nobody else's rows, breaks no state, and says what it could not search."""

from __future__ import annotations

import base64
import gzip
import json
import os
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.data_products import publishing
from shared_resources.erasing.in_text import Words, clean_folder
from shared_resources.erasing.rewritten_objects import is_one
from shared_resources.erasing.subjects import declared_in, who_know
from shared_resources.landing.zones.folder import FolderLandingZone
from shared_resources.mesh import read_mesh
from tests.cli.commands import call
from tests.tiny_mesh import TinyMesh, column, contract_text, custom

PEOPLE, CARDS = "shop/people", "shop/cards"
SUBJECT = custom(subject="customer")


def key(physical: str = "BIGINT", name: str = "person") -> dict[str, object]:
    return column(name, physical, required=True, customProperties=SUBJECT)


def publish(
    mesh: TinyMesh,
    product: str,
    rows: str,
    *columns: dict[str, object],
    servers: tuple[str, ...] = ("lake",),
    version: str = "1.0.0",
) -> Path:
    declare(mesh, product, *columns, servers=servers, version=version)
    file = mesh.land(f"{product}/{version}.csv", rows)
    assert mesh.run(product).success
    return file


def declare(
    mesh: TinyMesh,
    product: str,
    *columns: dict[str, object],
    servers: tuple[str, ...] = ("lake",),
    version: str = "1.0.0",
) -> None:
    landing = {"prefix": product, "format": "csv", "object": "*.csv*"}
    properties = {"landing": landing, "lossBudgetPercent": 60}
    text = contract_text(
        product, [*columns, column("age")], servers=servers, properties=properties, version=version
    )
    mesh.product(product, text)


def persons(mesh: TinyMesh, product: str, number: int | None = None) -> list[object]:
    return sorted(row["person"] for row in mesh.rows(product, number))


STATE = [
    '{"at": "2026-11-29T13:53:00.131090+00:00", "size": 131090, "sizes": [1, 131090]}',
    "2026-11-29 13:53:00.131090",
    "SUCCESS",
    '{"status": "SUCCESS", "rows": "131090"}',
    "size: 131090.5",
]


def test_moments_numbers_and_words_of_state_stay_what_they_are(tmp_path: Path) -> None:
    words = Words({"131090", "SUCCESS"})
    with closing(sqlite3.connect(tmp_path / "runs.db")) as runs, runs:
        runs.execute("CREATE TABLE runs (body TEXT PRIMARY KEY)")
        runs.executemany("INSERT INTO runs VALUES (?)", [(one,) for one in STATE])
    (tmp_path / "state.json").write_text("\n".join(STATE))
    assert list(clean_folder(tmp_path, words)) == []
    assert (tmp_path / "state.json").read_text() == "\n".join(STATE)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("person 131090 was refused", "person ****** was refused"),
        ("person=131090, of 131090 rows", "person=******, of ****** rows"),
        (json.dumps({"said": "person: 131090"}), '{"said": "person: ******"}'),
        (json.dumps('as "ånna-1"'), '"as \\"***********\\""'),
        (json.dumps(json.dumps("ånna-1")), '"\\"************\\""'),
    ],
)
def test_keys_in_sentences_are_put_out_however_they_are_written(text: str, left: str) -> None:
    words = Words({"131090", "ånna-1"})
    assert words.out_of(text) == left
    assert words.out_of_bytes(text.encode()) == left.encode()


def test_007_is_7_among_numbers_and_007_among_texts(mesh: TinyMesh) -> None:
    publish(mesh, PEOPLE, "person,age\n7,20\n30,40\n", key())
    cards = publish(mesh, CARDS, "person,age\n007,20\n7,40\n", key("VARCHAR"))
    assert call("erase", "--subject", "007").code == 0
    assert persons(mesh, PEOPLE) == [30] and persons(mesh, CARDS) == ["7"]
    assert cards.read_text() == "person,age\n7,40\n"


def test_a_key_is_one_whatever_type_a_file_gives_it(mesh: TinyMesh) -> None:
    from shared_resources.erasing.subjects import subjects_of

    declare(mesh, PEOPLE, key())
    declare(mesh, CARDS, key("VARCHAR"))
    tree = read_mesh(mesh.root)
    who = subjects_of(declared_in(tree), "customer", ["7", "anna"])
    cards, people = (known.columns[0] for known in who_know(declared_in(tree), "customer"))
    assert all(is_one(one, people, who) for one in (7, 7.0, "07", Decimal("7.00"), b"7"))
    assert is_one(b"anna", cards, who) and is_one("7", cards, who)
    others = (float("nan"), Decimal("NaN"), 7.5, b"\xff", None, ["7"])
    assert not any(is_one(one, people, who) for one in others)


def test_a_store_that_the_contract_names_no_more_is_cleaned_too(mesh: TinyMesh) -> None:
    publish(mesh, PEOPLE, "person,age\n7,20\n8,1\n", key(), servers=("lake", "warehouse"))
    declare(mesh, PEOPLE, key())
    assert call("erase", "--subject", "7").code == 0
    warehouse = mesh.environment.stores["warehouse"].open(PEOPLE)
    assert warehouse.batches(["person"]).read_all()["person"].to_pylist() == [8]


def test_so_is_a_version_whose_key_the_contract_has_dropped_since(mesh: TinyMesh) -> None:
    declare(mesh, CARDS, key())
    file = publish(mesh, PEOPLE, "person,age\n7,20\n8,1\n", key())
    publish(mesh, PEOPLE, "age\n20\n", version="2.0.0")
    planned = call("erase", "--subject", "7", "--dry-run", "--json").json
    assert {(one["place"], one["rows"]) for one in planned} == {("landing", 1), ("lake", 1)}
    assert call("erase", "--subject", "7").code == 0
    assert persons(mesh, PEOPLE, 1) == [8] and file.read_text() == "person,age\n8,1\n"


def test_what_cannot_be_searched_is_left_by_name(mesh: TinyMesh) -> None:
    publish(mesh, PEOPLE, "person,age\n7,20\n30,40\n", key())
    odd = {
        "broken.csv": b'person,age\n7,20\n"30,40\n',
        "wide.csv": "person,age\n7,1\n".encode("utf-16"),
        "cut.csv.gz": gzip.compress(b"person,age\n7,20\n")[:-9],
        "groups.csv": b"group,label\n7,seven\n8,eight\n",
    }
    files = {name: mesh.land(f"{PEOPLE}/{name}", content) for name, content in odd.items()}
    mesh.land(f"{PEOPLE}/other.csv", 'person,age\n"31,40\n')
    erased = call("erase", "--subject", "7", "--reason", "customer 7 asked", "--json")
    assert erased.code == 1
    (certificate,) = erased.json
    assert certificate["reason"] == "customer * asked"
    for name in odd:
        assert any(f"{PEOPLE}/{name}" in left for left in certificate["left"]), certificate["left"]
    assert not any("other.csv" in left for left in certificate["left"])
    assert files["groups.csv"].read_bytes() == odd["groups.csv"]


def test_a_refused_file_is_left_by_name_where_a_short_key_stands_in_it(mesh: TinyMesh) -> None:
    declare(mesh, PEOPLE, key())
    file = mesh.land(f"{PEOPLE}/a.csv", 'person,age\n7,20\n"30,40\n')
    assert not mesh.run(PEOPLE).success
    file.unlink()
    erased = call("erase", "--subject", "7")
    assert erased.code == 1 and "LEFT quarantine" in erased.err, erased
    assert call("erase", "--subject", "99").code == 0


def test_a_zone_that_cannot_be_written_keeps_nothing_else_from_going(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(mesh, PEOPLE, "person,age\n7,20\n8,1\n", key())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(FolderLandingZone, "replace", full)
        erased = call("erase", "--subject", "7")
    assert erased.code == 1 and "could not be written (No space left" in erased.err
    assert persons(mesh, PEOPLE) == [8]
    assert call("erase", "--subject", "7").code == 0


def test_what_a_dead_run_has_staged_goes(mesh: TinyMesh) -> None:
    declare(mesh, PEOPLE, key("VARCHAR"))
    mesh.land(f"{PEOPLE}/1.csv", "person,age\nanna-77777,20\nbob,1\n")
    child = os.fork()
    if child == 0:
        publishing._check_nobody_was_erased = lambda _: os._exit(9)
        mesh.run(PEOPLE)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    lake = mesh.environment.home / "lake"
    assert any(p.suffix == ".parquet" for p in lake.rglob("*"))
    assert call("erase", "--subject", "anna-77777").code == 0
    held = [pq.read_table(p) for p in lake.rglob("*.parquet")]
    assert not any("anna-77777" in table["person"].to_pylist() for table in held)


def test_a_damaged_entry_of_the_journal_is_named(mesh: TinyMesh, tmp_path: Path) -> None:
    publish(mesh, PEOPLE, "person,age\n7,20\n8,1\n", key())
    assert call("erase", "--subject", "7").code == 0
    folder = mesh.environment.home / "attestations" / "erasures"
    (done,) = folder.glob("*-done-*")
    envelope = json.loads(done.read_bytes())
    said = json.loads(base64.b64decode(envelope["payload"]))
    said["predicate"]["id"] = "../../../elsewhere/x"
    envelope["payload"] = base64.b64encode(json.dumps(said).encode()).decode()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "erasure-x.json").write_text(json.dumps(envelope))
    again = call("erase", "--again", "--journal", tmp_path / "copy")
    assert again.code == 2 and "no whole entry" in again.err
    done.write_bytes(b"garbage")
    listed = call("erase", "--list")
    assert listed.code == 1 and done.name in listed.err and "journal" in listed.err


def test_a_table_of_a_landed_file_keeps_its_dictionary(mesh: TinyMesh) -> None:
    landing = {"prefix": PEOPLE, "format": "parquet", "object": "*.parquet"}
    mesh.product(PEOPLE, contract_text(PEOPLE, [key("VARCHAR")], properties={"landing": landing}))
    table = pa.table({"person": pa.array(["anna-77777", "bob"]).dictionary_encode()})
    file = mesh.land(f"{PEOPLE}/1.parquet", table)
    assert call("erase", "--subject", "anna-77777").code == 0
    assert pq.read_table(file).to_pylist() == [{"person": "bob"}]
    assert b"anna-77777" not in file.read_bytes()
