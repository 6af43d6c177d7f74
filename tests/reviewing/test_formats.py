"""The forms of a review: what CI takes from them is what was found, whatever the texts hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from shared_resources.findings import Finding
from shared_resources.reviewing.cases import Base, Case, Kind, Outcome, Review, Suite
from shared_resources.reviewing.formats.annotations import github, gitlab
from shared_resources.reviewing.formats.junit import junit
from shared_resources.reviewing.formats.report import as_json
from shared_resources.reviewing.formats.summary import summary
from tests.cli.commands import call
from tests.reviewing.repositories import LINES, lines, shop
from tests.tiny_mesh import TinyMesh, column

ROOT = Path("/project")
ODD = "100%, a|b: <b>\n::set-output name=x::y\r\x00\x1b[31m `@all` \ud800 ]]>"


def review(said: str = ODD, *, line: int = 3, file: str = "domains/a,b/x:y.yaml") -> Review:
    found = Finding(ROOT / file, line, "odd", said, "mend\nit")
    return Review(
        ROOT,
        ROOT,
        Base("origin/main", "a" * 40),
        (
            Suite(
                "order",
                (
                    Case(Kind.POLICY, "odd", Outcome.FAILED, said, (found,)),
                    Case(Kind.POLICY, "even", Outcome.WARNING, said, (found,)),
                    Case(Kind.TEST, said, Outcome.SKIPPED, said),
                    Case(Kind.TEST, "fine", Outcome.PASSED, seconds=1.5),
                ),
            ),
        ),
    )


def parsed(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as GitHub's runner reads it: its escapes undone."""
    level, properties, said = re.fullmatch(r"::(\w+) (.*?)::(.*)", line).groups()  # type: ignore
    pairs = (one.split("=", 1) for one in properties.split(","))

    def plain(text: str) -> str:
        for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ",")):
            text = text.replace(code, character)
        return text.replace("%25", "%")

    return level, {name: plain(text) for name, text in pairs}, plain(said)


def test_github_reads_each_command_as_it_was_meant() -> None:
    told = [parsed(line) for line in github(review())]
    assert [level for level, _, _ in told] == ["error", "warning"]
    _, place, said = told[0]
    assert place["file"] == "domains/a,b/x:y.yaml" and place["line"] == "3"
    assert said.startswith("100%, a|b: <b> ::set-output name=x::y") and said.endswith("-> mend it")
    assert all(line.startswith("::") and "\n" not in line for line in github(review()))
    (_, without, _), _ = (parsed(line) for line in github(review(line=0)))
    assert "line" not in without


def test_gitlab_has_what_its_report_must_have() -> None:
    told: list[dict[str, Any]] = gitlab(review(line=0))
    for one in told:
        assert set(one) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert one["location"]["lines"]["begin"] >= 1
        assert one["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert not one["location"]["path"].startswith(("/", "./"))
    assert len({one["fingerprint"] for one in told}) == len(told)
    moved = gitlab(review(line=40))
    assert [one["fingerprint"] for one in moved] == [one["fingerprint"] for one in told]


def test_junit_is_xml_whose_counts_are_those_of_its_cases() -> None:
    top = ElementTree.fromstring(junit(review()).encode())
    (suite,) = top.findall("testsuite")
    assert (top.tag, suite.get("name")) == ("testsuites", "order")
    cases = suite.findall("testcase")
    counted = {"tests": len(cases), "failures": len(suite.findall("testcase/failure"))}
    counted["skipped"] = len(suite.findall("testcase/skipped"))
    assert counted == {"tests": 4, "failures": 1, "skipped": 1}
    assert {name: int(suite.get(name, "")) for name in counted} == counted
    assert all(case.get("classname") and case.get("name") for case in cases)
    failure = suite.find("testcase/failure")
    assert failure is not None and "domains/a,b/x:y.yaml:3" in str(failure.text)


def test_markdown_holds_no_markup_of_others() -> None:
    page = summary(review())
    rows = [line for line in page.splitlines() if line.startswith("| policy")]
    assert len(rows) == 2
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 5 for row in rows)
    assert "<b>" not in page and "@all" not in page and "`" not in page.replace("\\`", "")


def test_a_page_of_very_many_findings_stays_one_that_github_takes() -> None:
    found = [
        Finding(ROOT / f"domains/d/{n}.yaml", n, "odd", "x" * 5_000, "mend it") for n in range(900)
    ]
    case = Case(Kind.POLICY, "odd", Outcome.FAILED, "much", tuple(found))
    page = summary(Review(ROOT, ROOT, None, (Suite("d", (case,)),)))
    assert len(page.encode()) < 1_048_576 and "700 more" in page


@pytest.mark.parametrize(
    ("became", "said"), [("made", "nothing is published yet"), ("refused", "would be refused")]
)
def test_a_product_that_is_not_compared_says_why(became: str, said: str) -> None:
    facts: dict[str, object] = {"became": became, "publishable": 3, "changes": None}
    case = Case(Kind.DATA, "d/p", Outcome.FAILED, "said", facts=facts)
    page = summary(Review(ROOT, ROOT, None, (Suite("d", (case,)),)))
    assert f"| d/p | 3 |  |  |  | {said} |" in page


def test_json_says_all_of_it() -> None:
    told = json.loads(json.dumps(as_json(review("plain"))))
    assert told["counts"] == {"passed": 1, "warning": 1, "failed": 1, "skipped": 1}
    assert told["passed"] is False and told["base"]["ref"] == "origin/main"


@pytest.mark.parametrize("where", ["github", "gitlab", "none"])
def test_the_command_writes_each_form(mesh: TinyMesh, tmp_path: Path, where: str) -> None:
    shop(mesh)
    lines(mesh, [LINES[0], column("total", "DOUBLE", required=True)])
    page, xml = tmp_path / "page.md", tmp_path / "report.xml"
    files = ("--summary", page, "--junit", xml)
    told = call("ci", "--since", "main", "--static", "--annotations", where, *files)
    assert told.code == 1
    assert "| order | order/lines | main" in page.read_text()
    assert "sales/daily (amount)" in page.read_text().replace("\\", "")
    assert ElementTree.parse(xml).getroot().get("failures") == "1"
    if where == "gitlab":
        (one,) = told.json
        assert one["check_name"] == "mesh/contract/breaking_change"
    else:
        commands = [line for line in told.out.splitlines() if line.startswith("::")]
        assert len(commands) == (1 if where == "github" else 0)
        assert "order: failed: domains/order/products/lines/contract.odcs.yaml:" in told.out
