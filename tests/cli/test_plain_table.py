"""A table that no terminal shows: whole where it fits, folded where it does not, never cut."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from shared_resources.cli.plain_table import table_lines

CELLS = st.text(st.sampled_from("ab cd-éñ漢字\n"), max_size=40)


def lines(names: list[str], *rows: list[str], width: int = 160) -> list[str]:
    return table_lines(names, rows, width=width, right={"n"}, whole={"key"})


def test_numbers_are_set_to_the_right_and_nothing_follows_the_last_cell() -> None:
    assert lines(["key", "n", "said"], ["a/b", "1,000", "x"], ["a", "1", ""]) == [
        "key      n  said",
        "a/b  1,000  x",
        "a        1",
    ]


def test_the_widest_column_is_folded_at_words_and_what_is_copied_is_not() -> None:
    key = "order/" + "k" * 30
    assert lines(["key", "said"], [key, "one two three four"], width=47) == [
        f"key{' ' * 33}  said",
        f"{key}  one two",
        f"{' ' * 36}  three",
        f"{' ' * 36}  four",
    ]


def test_a_word_that_is_too_long_is_broken() -> None:
    assert lines(["said"], ["x" * 20], width=10) == ["said", "x" * 10, "x" * 10]


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) == "W" else 1 for sign in text)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=4), st.integers(40, 80))
def test_every_sign_of_every_cell_is_there_within_the_width(
    rows: list[list[str]], width: int
) -> None:
    rows = [[unicodedata.normalize("NFC", cell) for cell in row] for row in rows]
    shown = lines(["a", "b", "c"], *rows, width=width)
    assert all(_width(line) <= width for line in shown)
    given_signs = sorted("".join("".join(row) for row in rows).replace("\n", "").replace(" ", ""))
    assert sorted("".join(shown[1:]).replace(" ", "")) == given_signs
