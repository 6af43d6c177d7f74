"""A subject's rejected messages leave quarantine; the topic is left as it was sent."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared_resources.contracts.streams.model import MessageFormat, Stream
from shared_resources.erasing.in_messages import of_subjects
from shared_resources.erasing.rewritten_objects import NotRewritable
from shared_resources.erasing.subjects import Known, Subjects
from shared_resources.streams.kept_messages import kept_messages
from tests.cli.commands import call
from tests.contract_factory import make_column, make_contract
from tests.stand_ins.schema_registry import SchemaRegistryServer, schema_registry
from tests.streams.decoding.test_avro import record, written
from tests.streams.log.messages import message, table
from tests.streams.receipts import send
from tests.tiny_mesh import TinyMesh, column, contract_text, custom

VISITS = "shop/visits"
KEY = column("person", required=True, customProperties=custom(subject="customer"))
AGE = column("age", logicalTypeOptions={"minimum": 0})
OTHERS = [*range(10, 16)]
BROKEN = [
    {"person": 174300, "age": -1},
    {"person": 5, "age": -1},
    {"person": 174300, "age": "old"},
    b'{"person": 174300',
    b"not of 1743000 or 5",
]


@pytest.fixture
def shop(mesh: TinyMesh) -> TinyMesh:
    stream = {
        "topic": "visits",
        "format": "json",
        "gate": {"topic": "visits.good"},
        "deadLetters": {"topic": "visits.bad"},
    }
    properties = {"stream": stream, "lossBudgetPercent": 60}
    mesh.environment.log.create("visits", 1)
    mesh.product(VISITS, contract_text(VISITS, [KEY, AGE], properties=properties))
    good = [{"person": number, "age": 3} for number in (174300, *OTHERS)]
    send(mesh, [*good, *BROKEN], topic="visits")
    assert mesh.run(VISITS).success
    return mesh


def in_quarantine(mesh: TinyMesh) -> Iterator[dict[str, Any]]:
    for entry in mesh.environment.quarantine.list(VISITS):
        for file in mesh.environment.quarantine.files(entry):
            yield from kept_messages(file).to_pylist()


def test_who_is_erased_is_in_no_kept_message_and_the_others_are_as_they_came(
    shop: TinyMesh,
) -> None:
    log = (shop.environment.home / "log/log.db").read_bytes()
    assert len(list(in_quarantine(shop))) == 5
    erased = call("erase", "--subject", "174300", "--json")
    assert erased.code == 0, erased
    left = [one["value"] for one in in_quarantine(shop)]
    assert left == [json.dumps(BROKEN[1]).encode(), BROKEN[4]]
    [entry] = shop.environment.quarantine.list(VISITS)
    rejects = shop.environment.quarantine.rejects(entry)
    assert rejects is not None and b"old" not in rejects.read_bytes()
    assert sorted(row["person"] for row in shop.rows(VISITS)) == OTHERS
    assert (shop.environment.home / "log/log.db").read_bytes() == log
    for topic in ("visits", "visits.good", "visits.bad"):
        assert f"the topic {topic} of" in json.dumps(erased.json)
    send(shop, [{"person": 7, "age": 1}], topic="visits")
    assert shop.run(VISITS).success
    assert sorted(row["person"] for row in shop.rows(VISITS)) == [7, *OTHERS]


def test_a_key_beside_the_value_is_found_too() -> None:
    person = dataclasses.replace(
        make_column("person", "text"), subject="customer", primary_key_position=1
    )
    contract = dataclasses.replace(make_contract([person]), stream=Stream("t", MessageFormat.JSON))
    kept = table(
        message(None, b"ann@example.org"),
        message(None, b'{"person": "ann@example.org"}'),
        message(b"{}", None, headers=[("of", b"for ann@example.org"), ("no", None)]),
        message(b"{}", b"\xff"),
        message(b"[" * 100_000, None),
        message(b"{}", b"joann@example.org"),
    )
    who = Subjects("customer", frozenset({"ann@example.org"}))
    assert of_subjects(kept, Known(contract, (person,)), who) == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    without = dataclasses.replace(contract, stream=None)
    with pytest.raises(NotRewritable, match="names no topic"):
        of_subjects(kept, Known(without, (person,)), who)


def framed(server: SchemaRegistryServer, **person: Any) -> bytes:
    schema = record(int32="int")
    id_ = server.register("visits-value", json.dumps(schema))
    return b"\0" + id_.to_bytes(4, "big") + written(schema, person)[5:]


def test_messages_of_a_registry_are_read_as_their_stream_reads_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    person = dataclasses.replace(make_column("int32", "int32"), subject="customer")
    contract = dataclasses.replace(make_contract([person]), stream=Stream("t", MessageFormat.AVRO))
    known, who = Known(contract, (person,)), Subjects("customer", frozenset({"7"}))
    with schema_registry() as server:
        monkeypatch.setenv("SCHEMA_REGISTRY_URL", server.url)
        good = [message(framed(server, int32=7)), message(framed(server, int32=8)), message(None)]
        assert of_subjects(table(*good), known, who) == [True, False, False]
        with pytest.raises(NotRewritable, match="1 of its messages cannot be read"):
            of_subjects(table(*good, message(b"\0")), known, who)
        renamed = dataclasses.replace(contract, columns=(make_column("other", "int32"),))
        with pytest.raises(NotRewritable, match="no int32 any more"):
            of_subjects(table(*good), Known(renamed, (person,)), who)
