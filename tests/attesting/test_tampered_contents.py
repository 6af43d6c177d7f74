"""Promise: whoever changes what a published version consists of is found, with what was changed."""

from __future__ import annotations

import pytest

from tests.attesting import tampering as t
from tests.attesting.attested import KEY, TOTALS, Attested
from tests.attesting.tampering import Case

W, L = "warehouse", "lake"
NO = "0" * 64
PAST = "2020-01-01T00:00:00+00:00"

CASES = (
    Case("a flipped byte in the lake", t.flipped(L, 3, 0.2), "", "part-", 3, L),
    Case("a flipped last byte in the lake", t.flipped(L, 1, 0.999), "damaged", "part-", 1, L),
    Case("a flipped byte of a database", t.flipped(W, 3, 0.6), "file-changed", "data.duckdb", 3),
    Case("a removed file in the lake", t.removed(L, 3), "damaged", "is not there", 3, L),
    Case("a removed database", t.removed(W, 3), "damaged", "is not there", 3),
    Case("a file cut short", t.cut_short, "damaged", "instead of", 3),
    Case("another whole file in the lake", t.replace_in_lake, "", "part-", 3, L),
    Case("another whole file, with digests", t.replace_by_valid, "file-foreign", "data.duckdb", 3),
    Case("a foreign file", t.foreign_file, "file-foreign", "was not attested", 5),
    Case("a file not listed", t.drop_file, "file-dropped", "data.duckdb", 5),
    Case("another partition", t.count_for_another_partition, "files-changed", "partitions", 5),
    Case("another count of a file", t.count_rows_otherwise, "rows-changed", "counts 14 rows", 5),
    Case("another count", t.said(3, "mesh.rows", "12"), "committed-changed", "mesh.rows", 3),
    Case("another result", t.edit_result, "committed-changed", "mesh.checks", 3),
    Case("another result in the lake", t.edit_result_in_lake, "committed-", "mesh.checks", 3, L),
    Case("a result less", t.forget_result, "committed-changed", "mesh.checks", 3),
    Case("another contract", t.said(3, "mesh.contract-digest", NO), "committed-", "contract-d", 3),
    Case(
        "another contract's version",
        t.said_in_lake(3, "mesh.contract-version", "9"),
        "",
        "is 9,",
        3,
        L,
    ),
    Case("another text of the contract", t.swap_contract, "contract-text", "its contract", 3),
    Case("no text of the contract", t.lose_contract, "contract-text", "its contract", 3, L),
    Case("other policies", t.said(3, "mesh.policies", NO), "committed-changed", "mesh.policies", 3),
    Case("other code", t.said(3, "mesh.code", NO), "committed-changed", "mesh.code", 3),
    Case("another time", t.said(3, "mesh.published-at", PAST), "committed-", "published-at", 3),
    Case("another run", t.said_in_lake(2, "mesh.run-id", "mine"), "committed-", "run-id", 2, L),
    Case("other inputs", t.said(3, "mesh.inputs", '{"a/b":""}'), "committed-", "mesh.inputs", 3),
    Case("another who rolled back", t.said(4, "mesh.rollback-by", "bob"), "committed-", "bob", 4),
    Case("another waiver", t.change_terms, "terms-changed", "other terms", 5),
    Case("other terms", t.said(3, "mesh.terms", NO), "committed-changed", "mesh.terms", 3),
    Case("another input", t.change_input, "input-changed", f"version 5 of {KEY}", 2, L, TOTALS),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_what_was_changed_is_named(attested: Attested, case: Case) -> None:
    t.check(attested, case)
