"""Nothing that a landed object holds ends the process that ingests it, or leaves it pending for ever."""

from __future__ import annotations

import io
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.ledger.states import State
from shared_resources.landing import isolated, reader
from shared_resources.landing.formats.parquet.footer import is_ordinary
from shared_resources.landing.reader import UnreadableObject, stage_object
from shared_resources.landing.staged_object import ObjectToStage, StagedObject
from shared_resources.landing.zones.zone import LandingObject
from shared_resources.state.database import StateDatabase
from tests.landing.staging import landing_contract, stage

CONTRACT = landing_contract("parquet", {"x": "int"})


def written(**options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"x": [1, 2]}), sink, **options)
    return sink.getvalue()


def with_footer(content: bytes, old: bytes, new: bytes) -> bytes:
    """The file with a part of its footer replaced."""
    length = int.from_bytes(content[-8:-4], "little")
    pages, footer = content[: -8 - length], content[-8 - length : -8]
    assert old in footer
    footer = footer.replace(old, new, 1)
    return pages + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def strange(content: bytes) -> bytes:
    """The file with a field in its footer that no version of the format has: an empty struct, the
    hundredth field."""
    length = int.from_bytes(content[-8:-4], "little")
    footer = content[-8 - length : -9]  # without the byte that ends it
    footer += b"\x0c\xc8\x01\x00" + b"\x00"
    return content[: -8 - length] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


@pytest.mark.slow
def test_a_strange_footer_is_read_apart_and_an_ordinary_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    apart = isolated.stage_apart

    def noted(of: ObjectToStage) -> StagedObject:
        read.append(of.key)
        return apart(of)

    monkeypatch.setattr(reader, "stage_apart", noted)
    for name, content in (("plain", written()), ("strange", strange(written()))):
        (tmp_path / name).mkdir()
        assert stage(CONTRACT, content, tmp_path / name, name).rows == [{"x": 1}, {"x": 2}]
    assert read == ["shop/items/strange"]
    assert not is_ordinary(tmp_path / "strange" / "copy")


@pytest.mark.parametrize("ended_by", [signal.SIGABRT, signal.SIGSEGV])
def test_an_object_that_ends_its_reader_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended_by: signal.Signals
) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(strange(written()))
    deadly = f"import os; os.kill(os.getpid(), {int(ended_by)})"
    monkeypatch.setattr(isolated, "_START", deadly)
    with pytest.raises(UnreadableObject) as caught:
        stage_object(CONTRACT, copy, "shop/items/x", tmp_path / "staging")
    assert f"ends the process that reads it ({ended_by.name})" in str(caught.value)


@pytest.mark.slow
def test_what_is_refused_apart_is_refused_alike(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(b"PAR1 and no more")
    said = set()
    for apart in (True, False):
        with pytest.raises(UnreadableObject) as caught:
            stage_object(CONTRACT, copy, "shop/items/x", tmp_path / "staging", apart=apart)
        said.add((str(caught.value), caught.value.object_key, caught.value.remedy))
    assert len(said) == 1


@pytest.mark.slow
def test_rows_of_text_are_read_apart_too(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(b"x\n1\nno\n")
    contract = landing_contract("csv", {"x": "int"})
    staged = stage_object(contract, copy, "shop/items/x", tmp_path / "staging", apart=True)
    assert (sum(file.rows for file in staged.files), staged.rejected_rows) == (1, 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # The type of the chunk: of an integer of 64 bits (4) becomes a double's (10).
        (b"\x1c\x15\x04\x19\x35", b"\x1c\x15\x0a\x19\x35"),
        # The codec, Snappy's (2), becomes one that there is not.
        (b"\x15\x02\x16\x04", b"\x15\x7e\x16\x04"),
    ],
)
def test_a_damaged_footer_at_which_arrow_ends_the_process_is_refused(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    with pytest.raises(UnreadableObject):
        stage(CONTRACT, with_footer(written(), old, new), tmp_path)


def test_a_footer_that_counts_other_rows_than_its_row_groups_is_refused(tmp_path: Path) -> None:
    """It was adopted, and published with a count that engines answer from metadata."""
    # The file's own count, before the list of one row group: 2 rows become 3.
    content = with_footer(written(), b"\x16\x04\x19\x1c", b"\x16\x06\x19\x1c")
    with pytest.raises(UnreadableObject, match="its pages hold 2 rows, its footer says 3"):
        stage(CONTRACT, content, tmp_path)


def test_an_object_that_a_run_took_in_vain_is_known(tmp_path: Path) -> None:
    ledger = Ledger(StateDatabase(f"sqlite:///{tmp_path}/state.db", tmp_path), "shop/items")
    obj = LandingObject("shop/items/x", 4, datetime.now(UTC), "etag")
    assert not ledger.questions.suspects()
    ledger.discover([obj])
    assert not ledger.questions.suspects()
    ledger.take([obj], "run-1", "batch-1")
    suspects = ledger.questions.suspects()
    assert suspects == {(obj.key, obj.etag)}, f"process {os.getpid()} may have died of it"
    ledger.note([(obj.key, obj.etag)], State.REFUSED)
    assert not ledger.questions.suspects()


def test_of_the_objects_that_a_run_took_the_last_alone_is_suspected(tmp_path: Path) -> None:
    """Those before it were read to their end: a backfill that died reads no year of days apart."""
    ledger = Ledger(StateDatabase(f"sqlite:///{tmp_path}/state.db", tmp_path), "shop/items")
    days = [LandingObject(f"shop/items/{n}", 4, datetime.now(UTC), "etag") for n in range(4)]
    for day in days[:3]:
        ledger.take([day], "run-1", "batch-1")
    assert ledger.questions.suspects() == {(days[2].key, "etag")}
    ledger.take(days[:1], "run-2", "batch-2")
    assert ledger.questions.suspects() == {(days[0].key, "etag"), (days[2].key, "etag")}
