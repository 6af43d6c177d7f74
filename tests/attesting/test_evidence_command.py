"""`mesh evidence`: what it shows, runs again and exports."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

from shared_resources.evidence.statement import OF_VERSION, STATEMENT
from tests.attesting.attested import KEY, POLICY, TOTALS, Attested, flip
from tests.cli.commands import call


def test_it_shows_every_rule_and_what_was_not_checked(attested: Attested) -> None:
    done = call("evidence", KEY, "--version", 5)
    assert done.code == 0
    assert "passed  few_large" in done.out
    assert f"waived  {POLICY}" in done.out and "governance@example.com" in done.out
    assert "NOT CHECKED" in done.out


def test_a_rollback_is_evidence_of_what_it_restored(attested: Attested) -> None:
    (lake, _) = call("evidence", KEY, "--json").json
    restored, back = lake["versions"][1], lake["versions"][3]
    assert (back["kind"], back["results"]) == ("rollback", restored["results"])
    assert {"by": "ada", "what": "the rollback to version 2", "why": "the third was half"} in back[
        "approvals"
    ]


def test_the_rules_come_to_the_same_when_they_are_run_again(attested: Attested) -> None:
    done = call("evidence", KEY, "--rerun", "--json")
    assert done.code == 0, done
    for proof in done.json:
        assert [one["version"] for one in proof["reruns"]] == [1, 2, 3, 4, 5]
        for one in proof["reruns"]:
            assert one["skipped"] == {} and "few_large" in one["rules"]


def test_a_result_that_the_stored_rows_do_not_bear_out_is_found(attested: Attested) -> None:
    attested.edit_summary(
        3, lambda s: s.update({"mesh.checks": s["mesh.checks"].replace("true", "false", 1)})
    )
    done = call("evidence", KEY, "--rerun")
    assert done.code == 1
    assert "recorded is failed [rerun-differs" in done.out


def test_the_statement_is_one_of_in_toto(attested: Attested, tmp_path: Path) -> None:
    file = tmp_path / "statement.json"
    assert call("evidence", TOTALS, "--version", 2, "--statement", file).code == 0
    envelope = json.loads(file.read_bytes())
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert len(envelope["signatures"]) == 1
    import base64

    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert (statement["_type"], statement["predicateType"]) == (STATEMENT, OF_VERSION)


class _Page(HTMLParser):
    """Tags, whatever a page would fetch, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.fetched += [(tag, name) for name, _ in attrs if name in ("src", "href", "srcset")]
        assert tag not in ("script", "link", "img", "iframe")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_for_an_auditor_needs_nothing_beside_it(
    attested: Attested, tmp_path: Path
) -> None:
    flip(attested.data_file("warehouse", 3), 0.6)
    file = tmp_path / "evidence.html"
    assert call("evidence", KEY, "--export", file, "--rerun").code == 1
    for option in ("--export", "--statement"):
        call("evidence", KEY, option, file.parent / "none" / "e").refused("there is no folder")
    page = _Page()
    page.feed(file.read_text(encoding="utf-8"))
    assert page.fetched == [] and page.open == []
    assert "url(" not in file.read_text() and "@import" not in file.read_text()
    for said in (
        f"Evidence of {KEY}",
        "What was NOT checked here",
        "What was NOT checked",
        "file-changed",
        "few_large",
        "amounts look like card numbers",
        "stand only in classified columns",
        "none: made from a working folder",
        "Where columns come from",
        attested.attestation("lake", 5),
        attested.signer.key_id,
    ):
        assert said in page.text
