"""`logicalTypeOptions.format`: which texts it names, and which patterns cannot be read back."""

from __future__ import annotations

import re

import pytest

from shared_resources.contracts.patterns import BadPattern, check_pattern, re2
from shared_resources.contracts.text_formats import STRING_FORMATS, moment_format
from shared_resources.contracts.types import Family
from tests.contracts.reading import column_contract, findings, read

TEXTS = {
    "uuid": (["123e4567-e89b-12d3-a456-426614174000"], ["x", "123e4567e89b12d3a456426614174000"]),
    "email": (["a.b+c@example.com"], ["a@", "a b@example.com", "@example.com", "a@b@c"]),
    "uri": (["https://example.com/a?b#c", "urn:isbn:1"], ["example.com", "http://a b", "://x"]),
    "hostname": (["example.com", "a-1"], ["-a", "a..b", "a_b", ""]),
    "ipv4": (["0.0.0.0", "255.249.1.9"], ["256.1.1.1", "1.1.1", "01.1.1.1"]),
    "ipv6": (
        ["::", "::1", "1::", "2001:db8::8a2e:370:7334", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4"],
        ["1:2:3:4:5:6:7", "1::2::3", ":1", "12345::", "1:2:3:4:5:6:7:8:9"],
    ),
    "date": (["2020-12-31"], ["31.12.2020", "2020-13-01", "2020-1-1"]),
}


@pytest.mark.parametrize("format_", TEXTS)
def test_a_format_of_text_matches_what_it_names(format_: str) -> None:
    pattern = STRING_FORMATS[format_]
    assert pattern is not None
    check_pattern(pattern)
    good, bad = TEXTS[format_]
    assert all(re.search(re2(pattern), text) for text in good)
    assert [text for text in bad if re.search(re2(pattern), text)] == []


def test_every_format_of_text_is_tried() -> None:
    assert {name for name, pattern in STRING_FORMATS.items() if pattern} == set(TEXTS)


@pytest.mark.parametrize(
    ("pattern", "family", "said"),
    [
        ("dd.MM.yy", Family.DATE, "yy leaves the century open"),
        ("YYYY-MM-dd", Family.DATE, "YYYY is the year of a week"),
        ("yyyy-MM-DD", Family.DATE, "DD is the day of the year"),
        ("yyyy-mm-dd", Family.DATE, "says nothing of the month"),
        ("dd MMM yyyy", Family.DATE, "MMM is a month's name"),
        ("Mdyyyy", Family.DATE, "nothing parts M from d"),
        ("yyyy-MM", Family.DATE, "says nothing of the day"),
        ("yyyy-MM-dd HH:mm", Family.DATE, "holds the hour, which a date lacks"),
        ("yyyy-MM-dd", Family.TIMESTAMP, "says nothing of the hour"),
        ("yyyy-MM-dd hh:mm a", Family.TIMESTAMP, "hh is a clock of twelve hours"),
        ("yyyy-MM-dd HH:mmXXX", Family.TIMESTAMP, "holds the zone"),
        ("yyyy-MM-dd HH:mm[:ss]", Family.TIMESTAMP, "optional parts"),
        ("yyyy-MM-dd'T", Family.DATE, "open quote"),
        ("dd/dd/yyyy MM", Family.DATE, "holds the day twice"),
        ("%d.%m.%Y", Family.DATE, "is no part"),
        ("", Family.DATE, "says nothing of the year"),
    ],
)
def test_a_pattern_that_cannot_be_read_back_is_refused(
    pattern: str, family: Family, said: str
) -> None:
    with pytest.raises(BadPattern, match=re.escape(said)):
        moment_format(pattern, family)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("date, logicalTypeOptions: {format: dd.MM.yy}", "'dd.MM.yy': yy leaves the century open"),
        ("string, logicalTypeOptions: {format: uuids}", "'uuids', a format of text that nothing"),
        (
            "timestamp, logicalTypeOptions: {timezone: true, format: 'yyyyMMdd HHmm'}",
            "says nothing of the zone, which the column needs",
        ),
        (
            "timestamp, logicalTypeOptions: "
            "{timezone: true, defaultTimezone: Europe/Berlin, format: 'yyyyMMdd HHmm'}",
            "says nothing of the zone, which the column needs",
        ),
    ],
)
def test_a_format_that_nothing_can_follow_is_a_finding(column: str, said: str) -> None:
    (found,) = findings(column_contract("{logicalType: " + column + "}"))
    assert said in str(found)


def test_a_format_without_zone_is_in_utc_where_the_contract_says_so() -> None:
    options = "{timezone: true, defaultTimezone: Etc/UTC, format: 'yyyyMMdd HHmm'}"
    contract = read(
        column_contract("{logicalType: timestamp, logicalTypeOptions: " + options + "}")
    )
    assert contract.columns[0].text_format == "yyyyMMdd HHmm"
