"""Patterns mean the same in every engine, or are refused before any data is read."""

from __future__ import annotations

import re
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_resources.contracts.patterns import BadPattern, check_pattern, re2


@pytest.mark.parametrize(
    "pattern",
    [
        "", "^a$", "a|b", "(?:ab)+", "(a)(b)?", "[a-z]{2,3}", "[^0-9]", r"\d+\.\d{2}", r"[\]\-a]",
        r"^\S+@\S+$", "é+", r"\x41", r"[\x41-\x5a]", "a{3}", "a{2,}?", ".*?x", r"\bword\b", r"\$5",
        r"[a\-z]", r"[\w.-]+", r"\/", "a?" * 400,
    ],
)  # fmt: skip
def test_the_common_subset_is_allowed(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(?=a)", "look-around"), ("(?!a)", "look-around"), ("(?<=a)b", "look-around"),
        ("(?i)a", "flags"), ("(?P<n>a)", "named group"), ("(?<n>a)", "named group"),
        (r"(a)\1", r"uses `\1`"), (r"\p{L}", r"uses `\p`"), (r"\u00e9", r"uses `\u`"),
        (r"\Aa\Z", r"uses `\A`"), (r"\_", r"uses `\_`"), (r"\x4", r"uses `\x`"), (r"[\b]", r"`\b`"),
        (r"[\S]", r"`\S`"), ("a\\", "single backslash"),
        ("[[:alpha:]]", "bare `[`"), ("[]a]", "empty class"), ("[^]", "empty class"),
        ("[a", "not closed"), ("[a&&b]", "'&&'"), (r"[\d-x]", "starts with a class"),
        ("[z-a]", "no regular expression"), ("(", "no regular expression"),
        (")", "no regular expression"), ("a**", "nothing to repeat"), ("a++", "nothing to repeat"),
        ("*a", "nothing to repeat"), ("^*", "nothing to repeat"), ("(|*)", "nothing to repeat"),
        ("a{", "no repetition"), ("a{,3}", "no repetition"), ("a}", "bare `}`"),
        ("a{1001}", "more than 1000"), ("a{3,2}", "no regular expression"),
        ("((a{100}){100}){100}", "RE2"), ("a\0", "NUL"), ("a" * 1001, "longer than"),
    ],
)  # fmt: skip
def test_what_engines_disagree_about_is_refused_with_a_remedy(pattern: str, said: str) -> None:
    with pytest.raises(BadPattern) as refused:
        check_pattern(pattern)
    assert said in refused.value.message
    assert refused.value.remedy


PIECES = st.sampled_from(
    ["a", "b", "é", ".", r"\d", r"\w", r"\s", r"\S", r"\D", "[ab]", "[^a]", r"[\s]", r"[^\s]", "^", "$",
     "|", "(", ")", "(?:", "*", "+", "?", "{2}", "{1,2}", r"\.", r"\b", "\n", "-", "]", "{", "[a-", "\\"]
)  # fmt: skip
TEXTS = st.text(st.sampled_from(list("abé1 _.-\n\r\v\t\x0c٣\u2028\u00a0😀")), max_size=6)


@pytest.fixture(scope="module")
def connection() -> Any:
    with duckdb.connect() as opened:
        yield opened


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=6).map("".join), TEXTS)
def test_duckdb_arrow_and_python_find_the_same(connection: Any, pattern: str, text: str) -> None:
    try:
        check_pattern(pattern)
    except BadPattern:
        return
    wanted = re2(pattern)
    (in_duckdb,) = connection.execute("SELECT regexp_matches(?, ?)", [text, wanted]).fetchone()
    in_arrow = pc.match_substring_regex(pa.array([text]), wanted)[0].as_py()
    # Python's `$` also matches before a last line break.
    as_python = re.sub(r"(?<!\\)((?:\\\\)*)\$", r"\1\\Z", pattern)
    in_python = re.search(as_python, text, re.ASCII) is not None
    assert in_duckdb == in_arrow == in_python
