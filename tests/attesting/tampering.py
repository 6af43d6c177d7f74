"""What somebody could do to what is stored who may write there: digests and spare copies of the stores
are changed along.

Belongs here: the changes, one a function. Does not belong here: what names them (the tests).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.stores.staging.fingerprints import sha256_of
from tests.attesting.attested import KEY, Attested, flip
from tests.cli.commands import call

Change = Callable[[Attested], object]


@dataclass(frozen=True)
class Case:
    """`change` is done; `kind` and `names` must stand in a finding of that version and store."""

    name: str
    change: Change
    kind: str
    names: str
    version: int | None = None
    store: str = "warehouse"
    product: str = KEY


def check(attested: Attested, case: Case) -> None:
    case.change(attested)
    done = call("evidence", case.product, "--verify", "--json")
    assert done.code == 1, done
    found = [one for proof in done.json for one in proof["differences"]]
    fitting = [
        one
        for one in found
        if (one["store"], one["version"]) == (case.store, case.version)
        and case.kind in one["kind"]
        and case.names in one["text"]
    ]
    assert fitting, "\n".join(one["text"] for one in found)


def predicate(**changed: Any) -> Callable[[dict[str, Any]], object]:
    return lambda statement: statement["predicate"].update(changed)


def committed(name: str, value: str) -> Callable[[dict[str, Any], dict[str, Any]], object]:
    """Change what a manifest says was committed."""
    return lambda head, _: head["properties"].update({name: value})


def checks_passed(text: str) -> str:
    checks = json.loads(text)
    checks[0] |= {"passed": not checks[0]["passed"], "rows_failed": 7}
    return json.dumps(checks)


def replace_by_valid(attested: Attested) -> None:
    """Another database of the same shape in its place, with all digests of the manifest right."""
    other = attested.data_file("warehouse", 5)
    mine = attested.data_file("warehouse", 3)
    mine.chmod(0o600)
    shutil.copyfile(other, mine)

    def change(head: dict[str, Any], body: dict[str, Any]) -> None:
        body["files"][0] |= {"size": mine.stat().st_size, "sha256": sha256_of(mine)}
        body["files"][0] |= {"partitions": {"": 15}, "partitions_held": 15}
        head["properties"]["mesh.rows"] = "15"

    attested.edit_manifest(3, change)


def replace_in_lake(attested: Attested) -> None:
    """Other rows, as many, in a file of the same name and size."""
    file = attested.data_file("lake", 3)
    table = pq.read_table(file)
    size = file.stat().st_size
    amounts = pa.array([4.0] * table.num_rows, pa.float64())
    file.chmod(0o600)
    pq.write_table(table.set_column(1, "amount", amounts), file)
    raw = file.read_bytes()
    if len(raw) < size:
        file.write_bytes(raw)


def foreign_file(attested: Attested) -> None:
    """A whole file more is listed, as a publish would have listed it."""
    other = attested.data_file("warehouse", 1)
    folder = attested.home / "warehouse" / KEY

    def change(head: dict[str, Any], body: dict[str, Any]) -> None:
        body["files"].append(
            body["files"][0]
            | {
                "path": str(other.relative_to(folder)),
                "size": other.stat().st_size,
                "sha256": sha256_of(other),
                "partitions": {"": 11},
                "partitions_held": 11,
            }
        )
        head["properties"]["mesh.rows"] = str(int(head["properties"]["mesh.rows"]) + 11)

    attested.edit_manifest(5, change)


def drop_file(attested: Attested) -> None:
    def change(head: dict[str, Any], body: dict[str, Any]) -> None:
        body["files"] = []
        head["properties"]["mesh.rows"] = "0"

    attested.edit_manifest(5, change)


def swap_contract(attested: Attested) -> None:
    for file in (attested.home / "registry" / "contracts").glob("*.yaml"):
        text = file.read_text()
        if "few_large" in text:
            file.write_text(text.replace("mustBeLessThan: 2", "mustBeLessThan: 2000"))


def lose_contract(attested: Attested) -> None:
    for file in (attested.home / "registry" / "contracts").glob("*.yaml"):
        file.unlink()


def change_terms(attested: Attested) -> None:
    """The waiver gets another approver, in the statement that the commit names."""

    def change(statement: dict[str, Any]) -> None:
        statement["predicate"]["terms"]["waivers"][0]["approver"] = "somebody@example.com"

    file = attested.envelope("warehouse", 5)
    digest = attested.rewrite(file, change, attested.signer, rename=True)
    attested.edit_manifest(5, committed("mesh.attestation", digest))


def change_input(attested: Attested) -> None:
    """An input's version is another than the one that the totals were made from."""
    number = 5
    digest = attested.rewrite(
        attested.envelope("lake", number),
        lambda s: s["predicate"]["committed"].update({"run-id": "another"}),
        attested.signer,
        rename=True,
    )
    attested.edit_summary(number, lambda s: s.update({"mesh.attestation": digest}))


def said(number: int, name: str, value: str) -> Change:
    """What the warehouse says was committed with the version is another."""
    return lambda a: a.edit_manifest(number, committed(name, value))


def said_in_lake(number: int, name: str, value: str) -> Change:
    return lambda a: a.edit_summary(number, lambda summary: summary.update({name: value}))


def flipped(store: str, number: int, place: float) -> Change:
    return lambda a: flip(a.data_file(store, number), place)


def removed(store: str, number: int) -> Change:
    return lambda a: a.data_file(store, number).unlink()


def cut_short(attested: Attested) -> None:
    attested.data_file("warehouse", 3).write_bytes(b"short")


def edit_result(attested: Attested) -> None:
    attested.edit_manifest(3, lambda h, _: _edit_result(h["properties"]))


def edit_result_in_lake(attested: Attested) -> None:
    attested.edit_summary(3, _edit_result)


def _edit_result(properties: dict[str, Any]) -> None:
    properties["mesh.checks"] = checks_passed(properties["mesh.checks"])


def forget_result(attested: Attested) -> None:
    def change(head: dict[str, Any], _: dict[str, Any]) -> None:
        checks = json.loads(head["properties"]["mesh.checks"])
        head["properties"]["mesh.checks"] = json.dumps(checks[1:])

    attested.edit_manifest(3, change)


def count_rows_otherwise(attested: Attested) -> None:
    def change(head: dict[str, Any], body: dict[str, Any]) -> None:
        body["files"][0].update(partitions={"": 14})
        head["properties"]["mesh.rows"] = "14"

    attested.edit_manifest(5, change)


def count_for_another_partition(attested: Attested) -> None:
    attested.edit_manifest(5, lambda _, b: b["files"][0].update(partitions={"2024-01-01": 15}))
