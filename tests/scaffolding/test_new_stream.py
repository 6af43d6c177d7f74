"""A new product of a topic: it is sound, and takes the topic's messages as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared_resources.inference.infer import infer_files
from shared_resources.inference.inferred import Inferred
from shared_resources.mesh import ProductKind, read_mesh
from shared_resources.scaffolding.beginnings import Beginning
from shared_resources.scaffolding.new_files import NotMade
from shared_resources.scaffolding.new_product import NewProduct, make_product
from shared_resources.scaffolding.stream import of_messages
from tests.cli.commands import call
from tests.scaffolding.test_new_product import findings
from tests.tiny_mesh import TinyMesh, failures

# As a till writes them: a field with a name that no column has, and one that none can hold.
LINES = [
    {"Receipt No": n, "till": f"till {n % 2}", "paid": n / 4, "items": [{"id": n}]}
    for n in range(1, 4)
]


def new(topic: str = "lines", inferred: Inferred | None = None) -> NewProduct:
    said = "One line of a receipt."
    return NewProduct("order/lines", Beginning.STREAM, said, inferred=inferred, topic=topic)


@pytest.fixture
def order(mesh: TinyMesh) -> TinyMesh:
    mesh.domain("order")
    return mesh


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    file = tmp_path / "sample.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in LINES))
    return file


def test_it_publishes_the_messages_as_it_is(order: TinyMesh, tmp_path: Path) -> None:
    told = call("new", "product", "order/lines", "--topic", "lines")
    assert (told.code, told.err) == (0, "")
    assert "`mesh stream order/lines` makes it of lines" in told.out
    assert findings(order) == []
    assert read_mesh(order.root).product("order/lines").kind is ProductKind.STREAM
    file = tmp_path / "lines.jsonl"
    file.write_text(
        '{"row_id": 1, "remark": "a"}\n{"row_id": 2, "remark": null}\n{"row_id": "no"}\n'
    )
    assert call("stream", "send", "lines", str(file), "--partitions", "1").code == 0
    done = order.run("order/lines")
    assert not done.success, "one of three is more than the loss budget"
    file.write_text('{"row_id": 1, "remark": "a"}\n{"row_id": 2, "remark": null}\n')
    assert call("stream", "send", "lines", str(file)).code == 0
    assert call("stream", "order/lines", "--until-empty").code == 0
    assert order.rows("order/lines") == [
        {"row_id": 1, "remark": "a"},
        {"row_id": 2, "remark": None},
    ]


def test_what_was_found_in_a_file_of_messages_is_what_it_begins_with(
    order: TinyMesh, sample: Path
) -> None:
    told = call("new", "product", "order/lines", "--topic", "lines", "--from", str(sample))
    assert (told.code, told.err) == (0, "")
    assert "3 rows, 3 columns" in told.out
    contract = read_mesh(order.root).product("order/lines").contract
    assert contract is not None and contract.stream is not None and contract.landing is None
    assert contract.stream.ignores_extra and contract.loss_budget_percent == 5
    assert [(one.name, one.landed_as) for one in contract.columns] == [
        ("receipt_no", "Receipt No"), ("till", ""), ("paid", ""),
    ]  # fmt: skip
    assert {one.split("[")[-1] for one in findings(order)} <= {"to_confirm]"}
    assert call("stream", "send", "lines", str(sample), "--partitions", "2").code == 0
    done = order.run("order/lines")
    assert done.success, failures(done)
    rows = sorted(order.rows("order/lines"), key=lambda row: int(row["receipt_no"]))
    assert [(row["receipt_no"], row["till"], float(row["paid"])) for row in rows] == [
        (one["Receipt No"], one["till"], one["paid"]) for one in LINES
    ]


def test_what_stood_for_nothing_in_the_file_is_to_be_confirmed() -> None:
    found = Inferred("lines.jsonl", 2, (), landing={"format": "jsonl", "nullText": "NA"})
    [said] = of_messages(found).to_confirm
    assert "'NA' stood for nothing in the file; of a message, null does" in said


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("--kind", "stream"), "needs a topic"),
        (("--topic", "lines", "--kind", "ingest"), "of the kind ingest, which is made of no topic"),
        (("--topic", "lines", "--reads", "order/more"), "take --reads out"),
        (("--topic", "no such/topic"), "topic"),
    ],
)
def test_what_does_not_go_together_is_said(
    order: TinyMesh, given: tuple[str, ...], why: str
) -> None:
    make_product(order.root, NewProduct("order/more", Beginning.INGEST, "One row of more."))
    before = sorted(order.root.rglob("*"))
    told = call("new", "product", "order/lines", *given)
    assert told.code == 2 and why in told.err, told
    assert sorted(order.root.rglob("*")) == before


def test_a_file_that_is_no_message_a_line_is_none_to_begin_with(
    order: TinyMesh, sample: Path, tmp_path: Path
) -> None:
    other = tmp_path / "lines.csv"
    other.write_text("row_id\n1\n")
    folder = tmp_path / "several"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.jsonl").write_text(sample.read_text())
    for place in (other, folder):
        with pytest.raises(NotMade, match="one file of JSON lines"):
            make_product(order.root, new(inferred=infer_files(place)))
