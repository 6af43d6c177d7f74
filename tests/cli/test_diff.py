"""`mesh diff`: against a commit, against what is published, against what is deployed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared_resources.access.log import LATELY, log_of, reading_of
from tests.cli.commands import call
from tests.registry.test_registry import promise
from tests.reviewing.repositories import (
    LANDING,
    LINES,
    READER,
    cases,
    commit,
    git,
    lines,
    reviewed,
    shop,
)
from tests.tiny_mesh import TinyMesh, column, contract_text

RENAMED = [LINES[0], column("total", "DOUBLE", required=True)]
LEAST = [LINES[0], column("amount", "DOUBLE", required=True, logicalTypeOptions={"minimum": 0})]
LESS = [LINES[0], column("amount", "DOUBLE", required=True, logicalTypeOptions={"minimum": -1})]


@pytest.fixture
def changed(mesh: TinyMesh) -> TinyMesh:
    return shop(mesh)


def diffed(*options: object, code: int) -> dict[str, dict[str, Any]]:
    told = call("diff", "--json", *options)
    assert told.code == code, told
    return {f"{one['product']} {one['verdict']}": one for one in told.json}


def test_a_break_is_named_with_whom_it_breaks_and_what_to_do(changed: TinyMesh) -> None:
    lines(changed, RENAMED)
    told = diffed("--against", "main", "order", code=1)["order/lines breaking"]
    assert told["file"] == "domains/order/products/lines/contract.odcs.yaml"
    assert told["versions"] == {"from": "1.0.0", "to": "1.0.0"} and not told["permitted"]
    gone, new = told["changes"]
    assert (gone["effect"], gone["message"]) == ("breaking", "column amount is gone")
    assert gone["consumers"] == [{"product": "sales/daily", "columns": ["amount"]}]
    assert (new["effect"], new["consumers"]) == ("compatible", [])
    shown = call("diff", "--against", "main")
    assert "breaking: column amount is gone; it breaks sales/daily (amount)" in shown.out
    assert "new major version" in shown.out and "1 not permitted" in shown.out
    lines(changed, RENAMED, version="2.0.0")
    told = diffed("--against", "main", "order/lines", code=0)["order/lines breaking"]
    assert told["permitted"] and told["consumers"] == ["sales/daily"]


def test_what_is_declared_to_be_made_from_what_breaks_is_named_further_down(
    changed: TinyMesh,
) -> None:
    total = column("total", "DOUBLE", transformSourceObjects=["order/lines.amount"])
    changed.product("sales/daily", contract_text("sales/daily", [total]), READER.format(factor=1))
    yearly = column("sum", "DOUBLE", transformSourceObjects=["sales/daily.total"])
    code = READER.format(factor=1).replace("order/lines", "sales/daily").replace("amount", "total")
    changed.product("sales/yearly", contract_text("sales/yearly", [yearly]), code)
    lines(changed, RENAMED)
    told = diffed("--against", "main", "order", code=1)["order/lines breaking"]
    assert told["changes"][0]["made_from_it"] == [
        {"product": "sales/daily", "columns": ["total"]},
        {"product": "sales/yearly", "columns": ["sum"]},
    ]
    assert told["changes"][1]["made_from_it"] == []
    shown = call("diff", "--against", "main", "order").out
    assert (
        "made from it, as contracts and models say: sales/daily (total); sales/yearly (sum)"
        in shown
    )


def test_who_read_what_breaks_lately_is_named_and_holds_nothing_up(changed: TinyMesh) -> None:
    changed.land("order/lines/1.csv", "line_id,amount\n1,10\n")
    assert changed.run("order/lines").success and changed.run("sales/daily").success
    environment = changed.environment
    log = log_of(environment.home_of_readers, environment.shared_access_log)
    said = ("lake", ("amount",))
    log.begin(reading_of("ana@example.com", "order/lines", 1, *said, by="mesh read"))
    log.begin(reading_of("bob@example.com", "order/lines", 1, "lake", ("line_id",), by="read()"))
    log.begin(reading_of("agent:planner", "order/lines", 1, "lake", None, by="read()"))
    old = reading_of("old@example.com", "order/lines", 1, *said, by="mesh read")
    log.begin(replace(old, at=old.at - LATELY - timedelta(hours=1)))
    lines(changed, RENAMED)
    told = diffed("--against", "main", "order", code=1)["order/lines breaking"]
    gone, new = told["changes"]
    assert gone["read_lately"] == [
        {"reader": "agent:planner", "columns": ["amount"]},
        {"reader": "ana@example.com", "columns": ["amount"]},
    ]
    assert new["read_lately"] == [] and told["consumers"] == ["sales/daily"]
    shown = call("diff", "--against", "main", "order").out
    assert "by the access log: agent:planner (amount); ana@example.com (amount)" in shown
    shutil.rmtree(changed.root / "domains" / "sales")
    lines(changed, LINES, version="0.2.0")
    commit(changed)
    lines(changed, RENAMED, version="0.3.0")
    told = diffed("--against", "HEAD", "order", code=0)["order/lines breaking"]
    assert told["permitted"] and told["changes"][0]["read_lately"]


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "in git"])
def test_what_is_published_is_compared_with_the_contract_that_it_was_published_under(
    changed: TinyMesh, kept: bool
) -> None:
    """A rule is in no version's evidence: the contract with the digest that is there has it."""
    lines(changed, LEAST)
    commit(changed)
    changed.land("order/lines/1.csv", "line_id,amount\n1,10\n")
    assert changed.run("order/lines").success
    assert diffed(code=0).keys() == {"order/lines unchanged", "sales/daily new"}
    if not kept:
        forget_contracts(changed)
    lines(changed, LESS)
    commit(changed)
    told = diffed("order", code=1)["order/lines breaking"]
    assert told["against"] == "version 1 of order/lines in the lake"
    [change] = told["changes"]
    assert "range_amount lets more through" in change["message"]
    assert change["line"] and change["consumers"][0]["product"] == "sales/daily"


def test_what_a_merge_made_of_both_sides_is_found_in_git(changed: TinyMesh) -> None:
    """It stood in neither of the two, and no other commit has it."""
    root, file = changed.root, lines(changed, LEAST) / "contract.odcs.yaml"
    commit(changed)
    git(root, "switch", "--quiet", "--create", "side")
    file.write_text(f"{file.read_text()}# the last line\n")
    commit(changed)
    git(root, "switch", "--quiet", "change")
    file.write_text(f"# the first line\n{file.read_text()}")
    commit(changed)
    git(root, "merge", "--quiet", "--no-edit", "side")
    changed.land("order/lines/1.csv", "line_id,amount\n1,10\n")
    assert changed.run("order/lines").success
    forget_contracts(changed)
    lines(changed, LESS)
    told = diffed("order", code=1)["order/lines breaking"]
    assert "range_amount lets more through" in told["changes"][0]["message"]
    assert told["not_compared"] == ""


def test_a_contract_that_nobody_has_any_more_is_not_called_unchanged(mesh: TinyMesh) -> None:
    lines(mesh, LEAST)
    mesh.land("order/lines/1.csv", "line_id,amount\n1,10\n")
    assert mesh.run("order/lines").success
    assert diffed(code=0).keys() == {"order/lines unchanged"}
    forget_contracts(mesh)
    lines(mesh, LESS)
    told = diffed(code=0)["order/lines unknown"]
    assert "neither in git nor in the registry" in told["not_compared"]
    assert told["not_compared"] in call("diff").out


def test_who_reads_the_column_that_a_rule_leaves_is_hit(changed: TinyMesh) -> None:
    rule = {"name": "there", "metric": "nullValues", "mustBe": 0}
    was = [LINES[0], column("amount", "DOUBLE", quality=[rule])]
    lines(changed, was)
    commit(changed)
    lines(changed, [{**LINES[0], "quality": [rule]}, column("amount", "DOUBLE")])
    told = diffed("--against", "HEAD", "order", code=1)["order/lines breaking"]
    assert told["consumers"] == ["sales/daily"]
    commit(changed)
    lines(changed, was)
    told = diffed("--against", "HEAD", "order", code=1)["order/lines breaking"]
    assert told["consumers"] == []  # nobody reads the key


def forget_contracts(mesh: TinyMesh) -> None:
    """As where an earlier release published, which kept none."""
    shutil.rmtree(mesh.environment.home / "registry" / "contracts")


def test_without_git_what_the_version_itself_says_is_compared(mesh: TinyMesh) -> None:
    lines(mesh, LEAST)
    mesh.land("order/lines/1.csv", "line_id,amount\n1,10\n")
    assert mesh.run("order/lines").success
    forget_contracts(mesh)
    lines(mesh, RENAMED)
    told = diffed(code=1)["order/lines breaking"]
    assert [change["message"] for change in told["changes"]] == ["column amount is gone"]
    assert "were not compared" in told["not_compared"]
    by_day = {**LANDING["landing"], "mode": "partition", "object": "{partition}.csv"}
    days = {"cadence": "daily", "column": "day", "start": "2026-01-01"}
    text = contract_text(
        "order/lines",
        [*LEAST, column("day", "DATE", required=True)],
        properties={"landing": by_day, "partitions": days},
        version="2.0.0",
    )
    mesh.product("order/lines", text)
    told = diffed(code=1)["order/lines breaking"]  # no version of the contract permits it
    assert "published with partitions by nothing" in told["changes"][0]["message"]


def test_what_is_deployed_counts_though_nothing_is_published(changed: TinyMesh) -> None:
    lines(changed, LEAST)
    entry, files = promise(changed.root, "order")
    changed.environment.registry.register(entry, files, None)
    lines(changed, LESS)
    told = diffed("order", code=1)["order/lines breaking"]
    assert told["against"] == "the release that is deployed"
    shutil.rmtree(changed.root / "domains" / "order" / "products" / "lines")
    told = diffed(code=1)["order/lines gone"]
    assert told["consumers"] == ["sales/daily"] and "bring it back" in told["remedy"]


def test_what_was_published_and_never_deployed_is_gone_too(changed: TinyMesh) -> None:
    """Its contract is in no file and in no promise: what is published of it is."""
    changed.land("order/lines/1.csv", "line_id,amount\n1,10\n")
    assert changed.run("order/lines").success and changed.run("sales/daily").success
    environment = changed.environment
    log = log_of(environment.home_of_readers, environment.shared_access_log)
    log.begin(reading_of("ana@example.com", "order/lines", 1, "lake", None, by="mesh read"))
    shutil.rmtree(changed.root / "domains" / "order" / "products" / "lines")
    told = diffed(code=1)["order/lines gone"]
    assert told["against"] == "version 1 of order/lines in the lake"
    assert told["versions"] == {"from": "1.0.0", "to": ""}
    assert (told["consumers"], told["read_lately"]) == (["sales/daily"], ["ana@example.com"])
    shown = call("diff").out
    assert "order/lines 1.0.0 -> -: gone, against version 1 of order/lines in the lake" in shown
    assert "read lately, by the access log: ana@example.com" in shown
    shutil.rmtree(changed.root / "domains" / "sales")
    assert diffed(code=0).keys() == {"order/lines gone", "sales/daily gone"}


def test_what_is_published_of_a_domain_of_another_repository_is_not_gone(changed: TinyMesh) -> None:
    changed.land("order/lines/1.csv", "line_id,amount\n1,10\n")
    assert changed.run("order/lines").success
    entry, files = promise(changed.root, "order")
    changed.environment.registry.register(entry, files, None)
    shutil.rmtree(changed.root / "domains" / "order")
    assert diffed(code=0).keys() == {"sales/daily new"}


def test_what_is_deployed_and_cannot_be_read_is_said(changed: TinyMesh) -> None:
    file = lines(changed) / "contract.odcs.yaml"
    text = file.read_text()
    file.write_text(text.replace("status: active", "status: lively"))
    entry, files = promise(changed.root, "order")
    changed.environment.registry.register(entry, files, None)
    file.write_text(text)
    told = diffed("order", code=0)["order/lines unknown"]
    assert told["against"] == "the release that is deployed"
    assert "the earlier contract is not valid" in told["not_compared"]
    [kept] = changed.environment.registry.promised({"order"}).promises.values()
    (kept / "products" / "lines" / "contract.odcs.yaml").write_text(text)
    call("diff", "order").refused("the promise is not the one that was registered")


def test_ci_refuses_what_lets_more_through(changed: TinyMesh) -> None:
    lines(changed, LEAST)
    commit(changed)
    lines(changed, LESS)
    told = reviewed("--since", "HEAD", "--static", "--no-tests", code=1)
    [case] = cases(told, "contract", "failed")
    file = changed.root / "domains/order/products/lines/contract.odcs.yaml"
    at = case["findings"][0]["line"]
    assert "minimum: -1" in file.read_text().splitlines()[at - 1]
    assert "range_amount lets more through" in case["findings"][0]["message"]


def test_what_cannot_be_compared_is_said(changed: TinyMesh, tmp_path: Path) -> None:
    call("diff", "order/line").refused("no product or domain 'order/line'", "order/lines")
    call("diff", "--against", "nowhere").refused("no commit 'nowhere'")
    shutil.rmtree(changed.root / ".git")
    call("diff", "--against", "main").refused("in no repository")


def test_a_contract_that_is_not_valid_is_no_change_that_passes(changed: TinyMesh) -> None:
    file = lines(changed) / "contract.odcs.yaml"
    file.write_text(file.read_text().replace("status: active", "status: lively"))
    told = diffed("--against", "main", "order", code=1)["order/lines unknown"]
    assert "mesh check" in told["remedy"]
    commit(changed)
    lines(changed)
    told = diffed("--against", "HEAD", "order", code=0)["order/lines unknown"]
    assert "the earlier contract is not valid" in told["not_compared"]
