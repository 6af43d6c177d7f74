"""Lines of a file are messages of a topic, made with it: a stream can be tried where nobody writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import call
from tests.streams.receipts import PRODUCT, contract, receipt
from tests.tiny_mesh import TinyMesh


@pytest.fixture
def file(tmp_path: Path) -> Path:
    lines = [json.dumps(receipt(number)) for number in range(3)]
    (tmp_path / "lines.jsonl").write_text("\n\n".join(lines))
    return tmp_path / "lines.jsonl"


def test_a_stream_is_tried_with_the_lines_of_a_file(mesh: TinyMesh, file: Path) -> None:
    mesh.product(PRODUCT, contract())
    call("stream", "send", "receipts", str(file)).refused("--partitions NUMBER makes it")
    sent = call("stream", "send", "receipts", str(file), "--key", "receipt_id", "--partitions", "2")
    assert sent.code == 0 and "3 messages sent to receipts" in sent.out
    topic = mesh.environment.log.topic("receipts")
    assert topic is not None and topic.partitions == 2 and sum(topic.ends.values()) == 3
    assert call("stream", PRODUCT, "--until-empty").code == 0
    assert sorted(row["receipt_id"] for row in mesh.rows(PRODUCT)) == [0, 1, 2]


@pytest.mark.parametrize("line", ["no JSON", "[1]", '{"till": 1}'])
def test_a_line_without_the_key_is_named(mesh: TinyMesh, file: Path, line: str) -> None:
    file.write_text(f"{json.dumps(receipt(1))}\n{line}\n")
    sending = ("stream", "send", "t", str(file), "--key", "receipt_id", "--partitions", "1")
    call(*sending).refused(f"{file}:2: is no JSON object with the field 'receipt_id'")
