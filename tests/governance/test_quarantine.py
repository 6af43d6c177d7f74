"""Quarantine: nothing rejected is lost, nothing is there twice, and nothing leaks."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.contracts.model import Classification
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.policies.promises import no_undeclared_personal_data
from shared_resources.governance.quarantine.folder import QuarantineFolder, QuarantineStore
from shared_resources.governance.quarantine.quarantine import (
    Quarantine,
    QuarantineEntry,
    Rejection,
    UnknownEntry,
)
from shared_resources.governance.quarantine.view import shown_rows
from shared_resources.landing.rejects import Reason, Reject, RejectsWriter
from shared_resources.wiring import ProductionEnvironment
from tests.contract_factory import make_column, make_contract, make_rule, stage, table
from tests.forkserver import ended, forkserver, heard, running

PATIENCE = 60
REJECTION = Rejection(
    product="order/lines",
    kind="batch",
    batch_id="run-1-abc",
    run_id="run-1",
    rows=2,
    reasons=(("range_id", "schema.lines.properties.id", 2, "2 of 2 rows are bad"),),
    contract_version="1.2.0",
    contract_digest="d" * 64,
    inputs={"product/catalog": "lake:3:1234"},
    partitions=("2017-03-01",),
    objects=(("order/lines/2017-03-01.csv", "etag"),),
)


def _file(folder: Path, ids: list[int], name: str = "part-00000.parquet") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    pq.write_table(pa.table({"id": ids, "mail": [f"{i}@example.com" for i in ids]}), path)
    return path


@pytest.fixture(params=["folder", "s3"])
def quarantine(request: pytest.FixtureRequest, tmp_path: Path) -> Quarantine:
    if request.param == "folder":
        return Quarantine(QuarantineFolder(tmp_path / "quarantine"))
    production: ProductionEnvironment = request.getfixturevalue("production")
    return production.quarantine


def _store(quarantine: Quarantine) -> QuarantineStore:
    return quarantine.store


def _entry_json(quarantine: Quarantine, entry: QuarantineEntry) -> bytes:
    stored = _store(quarantine).read(f"{entry.product}/{entry.id}")
    assert stored is not None
    return stored.entry


def test_an_entry_keeps_why_when_and_from_what(quarantine: Quarantine, tmp_path: Path) -> None:
    before = datetime.now(UTC)
    kept = quarantine.put(REJECTION, [_file(tmp_path, [1, 2])])
    assert before <= kept.at <= datetime.now(UTC)
    (entry,) = quarantine.list()
    assert entry == kept == quarantine.get(kept.id) == quarantine.get(kept.id[:6])
    for name in REJECTION.__dataclass_fields__:
        assert getattr(entry, name) == getattr(REJECTION, name), name
    assert entry.open and entry.replays == () and entry.superseded_by is None
    assert quarantine.rows(entry).read_all().column("id").to_pylist() == [1, 2]
    assert quarantine.rejects(entry) is None


def test_what_was_rejected_survives_the_staging_folder(
    quarantine: Quarantine, tmp_path: Path
) -> None:
    staged = _file(tmp_path / "staged", [1])
    rejects = _file(tmp_path / "staged", [2], "rejects.parquet")
    entry = quarantine.put(REJECTION, [staged], rejects)
    staged.unlink()
    rejects.unlink()
    assert quarantine.rows(entry).read_all().num_rows == 1
    kept = quarantine.rejects(entry)
    assert kept is not None and pq.read_table(kept).num_rows == 1


def test_files_of_the_same_name_do_not_overwrite_each_other(
    quarantine: Quarantine, tmp_path: Path
) -> None:
    files = [_file(tmp_path / day, [number]) for number, day in enumerate(("a", "b", "c"))]
    entry = quarantine.put(REJECTION, files)
    assert quarantine.rows(entry).read_all().column("id").to_pylist() == [0, 1, 2]


def test_an_unreadable_object_is_kept_as_its_bytes(quarantine: Quarantine, tmp_path: Path) -> None:
    content = b"\x00\xff neither parquet nor JSON \xfe"
    for name in ("bad.parquet", "bad.json"):
        (tmp_path / name).write_bytes(content + name.encode())
    rejection = replace(REJECTION, kind="object", rows=0)
    files = [tmp_path / "bad.parquet", tmp_path / "bad.json"]
    entry = quarantine.put(rejection, files)
    first, second = quarantine.files(entry)
    assert first.read_bytes() + second.read_bytes() == b"".join(f.read_bytes() for f in files)
    assert quarantine.list() == [entry] and entry.replays == ()
    assert quarantine.rows(entry).read_all().num_rows == 0
    assert shown_rows(quarantine, entry, make_contract({"id": "int"})) == []


def test_copies_where_the_file_system_cannot_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarantine = Quarantine(QuarantineFolder(tmp_path / "quarantine"))

    def cannot(*_: object) -> None:
        raise OSError("cross-device link")

    monkeypatch.setattr(os, "link", cannot)
    entry = quarantine.put(REJECTION, [_file(tmp_path, [1, 2])])
    assert quarantine.rows(entry).read_all().num_rows == 2


def test_putting_the_same_again_changes_nothing(quarantine: Quarantine, tmp_path: Path) -> None:
    first = quarantine.put(REJECTION, [_file(tmp_path, [1, 2])])
    again = quarantine.put(REJECTION, [_file(tmp_path / "retried", [1, 2])])
    assert again == first and quarantine.list() == [first]


def test_a_retry_that_rejects_something_else_supersedes(
    quarantine: Quarantine, tmp_path: Path
) -> None:
    first = quarantine.put(REJECTION, [_file(tmp_path, [1, 2])])
    second = quarantine.put(REJECTION, [_file(tmp_path, [1, 2, 3], "again.parquet")])
    earlier, later = quarantine.list("order/lines")
    assert (earlier.id, later.id) == (first.id, second.id)
    assert earlier.superseded_by == second.id and not earlier.open and later.open
    assert quarantine.rows(earlier).read_all().num_rows == 2, "it is kept all the same"


@pytest.mark.parametrize(
    "change",
    [
        {"batch_id": "run-2-abc"},
        {"kind": "rows"},
        {"partitions": ("2017-03-02",)},
        {"product": "order/baskets"},
        {"parent": "0123"},
    ],
)
def test_other_attempts_are_other_entries(
    quarantine: Quarantine, tmp_path: Path, change: dict[str, Any]
) -> None:
    file = _file(tmp_path, [1])
    quarantine.put(REJECTION, [file])
    quarantine.put(replace(REJECTION, **change), [file])
    assert [entry.open for entry in quarantine.list()] == [True, True]


def test_lists_by_product_oldest_first(quarantine: Quarantine, tmp_path: Path) -> None:
    ids = []
    for number in range(3):
        rejection = replace(REJECTION, batch_id=f"b{number}")
        ids.append(quarantine.put(rejection, [_file(tmp_path, [number], f"{number}.parquet")]).id)
    quarantine.put(replace(REJECTION, product="order/baskets"), [_file(tmp_path, [9])])
    assert [entry.id for entry in quarantine.list("order/lines")] == ids
    assert len(quarantine.list()) == 4 and quarantine.list("order/nothing") == []
    assert Quarantine(QuarantineFolder(tmp_path / "none")).list() == []


def test_a_replay_is_marked_once_and_the_entry_stays_as_it_is(
    quarantine: Quarantine, tmp_path: Path
) -> None:
    entry = quarantine.put(REJECTION, [_file(tmp_path, [1])])
    before = _entry_json(quarantine, entry)
    marked = quarantine.mark_replayed(entry.id, 7)
    assert quarantine.mark_replayed(entry.id, 7) == marked
    assert [replay.version for replay in marked.replays] == [7] and not marked.open
    assert _entry_json(quarantine, entry) == before
    assert [r.version for r in quarantine.mark_replayed(entry.id, 9).replays] == [7, 9]


def test_an_entry_is_closed_once_and_stays_as_it_is(quarantine: Quarantine, tmp_path: Path) -> None:
    entry = quarantine.put(REJECTION, [_file(tmp_path, [1])])
    written = _entry_json(quarantine, entry)
    for by, reason in (("ada", "a test of the till"), ("eve", "no idea")):
        closed = quarantine.close(entry.id[:6], by=by, reason=reason)
    assert closed.closed is not None and not closed.open
    assert (closed.closed.by, closed.closed.reason) == ("ada", "a test of the till")
    assert _entry_json(quarantine, entry) == written
    assert quarantine.put(REJECTION, [_file(tmp_path, [1])]) == closed
    assert quarantine.rows(closed).read_all().num_rows == 1


@pytest.mark.parametrize("id_", ["", "nothing", "../../etc"])
def test_an_unknown_entry_is_said(quarantine: Quarantine, tmp_path: Path, id_: str) -> None:
    quarantine.put(REJECTION, [_file(tmp_path, [1])])
    with pytest.raises(UnknownEntry, match="mesh quarantine list"):
        quarantine.get(id_)


@pytest.mark.parametrize("product", ["lines", "../x/y", "order/", "/lines", "order/..", "a/b/c"])
def test_a_product_key_cannot_leave_the_quarantine(
    quarantine: Quarantine, tmp_path: Path, product: str
) -> None:
    with pytest.raises(ValueError, match="is no product key"):
        quarantine.put(replace(REJECTION, product=product), [_file(tmp_path, [1])])
    with pytest.raises(ValueError, match="is no kind of entry"):
        quarantine.put(replace(REJECTION, kind="rumour"), [])


def test_classified_columns_and_unknown_ones_are_masked(
    quarantine: Quarantine, tmp_path: Path
) -> None:
    path = tmp_path / "rejected.parquet"
    pq.write_table(
        pa.table(
            {
                "id": [1, 2],
                "mail": ["ada@example.com", None],
                "unknown": ["x", "y"],
                "_reasons": [["range_id", "pattern_mail"], ["required_mail"]],
            }
        ),
        path,
    )
    writer = RejectsWriter(tmp_path / "rejects.parquet", "order/lines.csv")
    writer.add(Reject(3, 4, '{"mail": "eve@example.com"}', (Reason("mail", "eve", "too short"),)))
    mail = make_column("mail", "text", classification=Classification.RESTRICTED)
    contract = make_contract([make_column("id"), mail])
    entry = quarantine.put(replace(REJECTION, kind="rows", rows=3), [path], writer.close())
    assert shown_rows(quarantine, entry, contract) == [
        {"id": 1, "mail": "***", "unknown": "***", "_reasons": "range_id, pattern_mail"},
        {"id": 2, "mail": None, "unknown": "***", "_reasons": "required_mail"},
        {
            "_object": "order/lines.csv",
            "_row": 3,
            "_line": 4,
            "_problems": "mail: too short (***)",
        },
    ]
    assert len(shown_rows(quarantine, entry, contract, limit=1)) == 1


@pytest.mark.parametrize("rows", [5, 3_000])
def test_of_a_refused_batch_the_failing_rows_are_shown_not_the_first(
    tmp_path: Path, rows: int
) -> None:
    """Whatever kind of rule it was, and whichever of them; what is classified stays masked."""
    mail = make_column("mail", "text", classification=Classification.RESTRICTED)
    columns = [make_column("id"), make_column("ref"), mail, make_column("note", "text")]
    rules = [
        make_rule("required", "id"),
        make_rule("unique", "id"),
        make_rule("pattern", "mail", pattern=".+@.+"),
        make_rule("not_empty"),
    ]
    contract = make_contract(columns, rules)
    personal = no_undeclared_personal_data.rules(contract)
    data = table(
        contract,
        id=[*range(rows), None, 1, rows],
        ref=[0] * rows + [0, 9, 0],
        mail=["a@b.example"] * rows + ["a@b.example", "a@b.example", "eve"],
        note=["fine"] * (rows + 2) + ["write to eve@example.com"],
    )
    batch = stage(tmp_path / "staged", data)
    report = audit(StagedData(batch), contract, rules=[*rules, *personal])
    reasons = tuple(
        (one.rule.name, one.rule.clause, one.rows_failed or 0, one.message)
        for one in report.refusals
    )
    assert len(reasons) == 4
    quarantine = Quarantine(QuarantineFolder(tmp_path / "quarantine"))
    rejection = replace(REJECTION, kind="batch", rows=rows + 3, reasons=reasons)
    entry = quarantine.put(rejection, [file.path for file in batch.files])
    shown = shown_rows(quarantine, entry, contract, rules=[*rules, *personal])
    assert [(row["id"], row["mail"], row["note"]) for row in shown] == [
        (1, "***", "***"),
        (None, "***", "***"),
        (1, "***", "***"),
        (rows, "***", "***"),
    ]
    assert [row["_reasons"].split(", ") for row in shown][1:] == [
        ["required_id"],
        ["unique_id"],
        ["pattern_mail", personal[0].name],
    ]
    (first,) = shown_rows(quarantine, entry, contract, limit=1, rules=rules[:1])
    assert first["id"] is None
    unknown = shown_rows(quarantine, entry, contract, limit=2, rules=rules[3:])
    assert [row["id"] for row in unknown] == [0, 1], "nobody can tell, so the first are shown"


def _put_at_once(
    quarantine: Quarantine, file: Path, variables: dict[str, str], barrier: Barrier
) -> None:
    os.environ.update(variables)
    barrier.wait(PATIENCE)
    quarantine.put(REJECTION, [file])


def test_many_processes_keep_the_same_once(quarantine: Quarantine, tmp_path: Path) -> None:
    file = _file(tmp_path, [1, 2])
    context = forkserver()
    barrier = context.Barrier(6)
    arguments = (quarantine, file, dict(os.environ), barrier)
    processes = [context.Process(target=_put_at_once, args=arguments) for _ in range(6)]
    with running(*processes):
        ended(*processes)
    assert [process.exitcode for process in processes] == [0] * 6
    (entry,) = quarantine.list()
    assert quarantine.rows(entry).read_all().num_rows == 2


def _put_forever(
    quarantine: Quarantine, folder: Path, variables: dict[str, str], out: Connection
) -> None:
    os.environ.update(variables)
    files = sorted(folder.glob("*.parquet"))
    for number in itertools.count():
        out.send(number)
        quarantine.put(replace(REJECTION, batch_id=f"{os.getpid()}-{number}"), files)


@pytest.mark.slow
def test_a_killed_process_leaves_whole_entries_or_none(
    quarantine: Quarantine, tmp_path: Path
) -> None:
    files = [_file(tmp_path / "staged", list(range(500)), f"{n}.parquet") for n in range(4)]
    context = forkserver()
    folder = isinstance(_store(quarantine), QuarantineFolder)
    for attempt in range(8):
        begun, out = context.Pipe(duplex=False)
        arguments = (quarantine, tmp_path / "staged", dict(os.environ), out)
        process = context.Process(target=_put_forever, args=arguments)
        with running(process):
            assert heard(process, begun) == 0
            if attempt % 2:
                assert heard(process, begun) == 1  # a first entry is kept
            time.sleep(0.01 + 0.01 * attempt if folder else 0.4 + 0.1 * attempt)
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            ended(process)
        for entry in quarantine.list():
            assert quarantine.rows(entry).read_all().num_rows == 500 * len(files)
    assert quarantine.list(), "some were kept"


def test_what_dead_processes_left_in_a_folder_is_swept_a_day_later(tmp_path: Path) -> None:
    quarantine = Quarantine(QuarantineFolder(tmp_path / "quarantine"))
    incoming = tmp_path / "quarantine" / ".incoming"
    for name in ("old", "new"):
        (incoming / name).mkdir(parents=True)
    old = time.time() - 100_000
    os.utime(incoming / "old", (old, old))
    quarantine.put(REJECTION, [_file(tmp_path, [1])])
    assert [path.name for path in incoming.iterdir()] == ["new"]


def test_entries_are_plain_json(quarantine: Quarantine, tmp_path: Path) -> None:
    entry = quarantine.put(REJECTION, [_file(tmp_path, [1])])
    stored = json.loads(_entry_json(quarantine, entry))
    assert stored["reasons"][0][:2] == ["range_id", "schema.lines.properties.id"]
    assert stored["inputs"] == {"product/catalog": "lake:3:1234"}


def test_entries_expire_by_age_and_product_for_good(quarantine: Quarantine, tmp_path: Path) -> None:
    old = quarantine.put(REJECTION, [_file(tmp_path, [1])], _file(tmp_path, [5], "r.parquet"))
    quarantine.mark_replayed(old.id, 1)
    other = quarantine.put(replace(REJECTION, product="order/baskets"), [_file(tmp_path, [1])])
    then = datetime.now(UTC)
    new = quarantine.put(replace(REJECTION, batch_id="b2"), [_file(tmp_path, [2])])
    assert quarantine.expire("order/lines", old.at) == []
    assert quarantine.expire("order/lines", then) == [old.id]
    assert quarantine.expire("order/lines", then) == []
    assert {entry.id for entry in quarantine.list()} == {other.id, new.id}
    with pytest.raises(UnknownEntry):
        quarantine.get(old.id)
    assert quarantine.rows(new).read_all().num_rows == 1
    again = quarantine.put(REJECTION, [_file(tmp_path, [1])], _file(tmp_path, [5], "r.parquet"))
    assert again.id == old.id and again.at > old.at and again.open


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("order/other", {}),
        ("order/lines", {"product": "../../etc/passwd"}),
        ("order/lines", {"id": "../../escape"}),
        ("order/lines", {"file_names": ["../../../../etc/passwd"]}),
        ("order/lines", {"file_names": ["/etc/passwd"]}),
    ],
)
def test_an_entry_that_someone_forged_leads_nowhere(
    quarantine: Quarantine, tmp_path: Path, place: str, change: dict[str, Any]
) -> None:
    entry = quarantine.put(REJECTION, [_file(tmp_path, [1])])
    forged = json.dumps({**json.loads(_entry_json(quarantine, entry)), **change}).encode()
    quarantine.expire("order/lines", datetime.now(UTC))
    _store(quarantine).keep(
        f"{place}/{entry.id}", {"files/00000.parquet": tmp_path / "part-00000.parquet"}, forged
    )
    assert quarantine.list() == []
    (problem,) = quarantine.unreadable()
    assert re.search(r"no product key|no id of an entry|names a file|another", str(problem))
