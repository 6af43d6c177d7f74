"""JUnit's XML: a suite a domain, a case for each contract, policy, test and product made.

Belongs here: that form. Does not belong here: reading pytest's (`domain_tests.py`).
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from shared_resources.reviewing.cases import Case, Outcome, Review, Suite

# What XML 1.0 cannot hold, escaped or not.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(review: Review) -> str:
    """The whole file."""
    top = ElementTree.Element("testsuites", {"name": "mesh ci", **_counts(*review.suites)})
    for suite in review.suites:
        about = {"name": suite.name, **_counts(suite)}
        about["skipped"] = str(suite.count(Outcome.SKIPPED))
        told = ElementTree.SubElement(top, "testsuite", about)
        for case in suite.cases:
            _tell(review, suite, case, told)
    ElementTree.indent(top)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(top, "unicode") + "\n"


def _counts(*suites: Suite) -> dict[str, str]:
    cases = [case for suite in suites for case in suite.cases]
    return {
        "tests": str(len(cases)),
        "failures": str(sum(suite.count(Outcome.FAILED) for suite in suites)),
        "errors": "0",
        "time": f"{sum(case.seconds for case in cases):.3f}",
    }


def _tell(review: Review, suite: Suite, case: Case, told: ElementTree.Element) -> None:
    one = ElementTree.SubElement(
        told,
        "testcase",
        classname=f"{suite.name}.{case.kind}",
        name=_writable(case.name),
        time=f"{case.seconds:.3f}",
    )
    said = _writable(review.text(case.said))
    places = "\n".join(_writable(review.text(str(found))) for found in case.findings)
    match case.outcome:
        case Outcome.FAILED:
            ElementTree.SubElement(one, "failure", message=said, type=case.kind.value).text = places
        case Outcome.SKIPPED:
            ElementTree.SubElement(one, "skipped", message=said)
        case _ if said:
            ElementTree.SubElement(one, "system-out").text = "\n".join(filter(None, (said, places)))


def _writable(text: str) -> str:
    return _UNWRITABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
