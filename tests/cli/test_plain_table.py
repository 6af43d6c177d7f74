"""A table that no terminal shows: a line a row, nothing folded and nothing cut."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from shared_resources.cli.plain_table import table_lines

CELLS = st.text(st.sampled_from("ab cd-éñ漢字\n"), max_size=400)


def lines(names: list[str], *rows: list[str]) -> list[str]:
    return table_lines(names, rows, right={"n"})


def test_numbers_are_set_to_the_right_and_nothing_follows_the_last_cell() -> None:
    assert lines(["key", "n", "said"], ["a/b", "1,000", "x"], ["a", "1", ""]) == [
        "key      n  said",
        "a/b  1,000  x",
        "a        1",
    ]


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=4))
def test_each_row_is_a_line_with_every_sign_of_its_cells(rows: list[list[str]]) -> None:
    rows = [[unicodedata.normalize("NFC", cell) for cell in row] for row in rows]
    shown = lines(["a", "b", "c"], *rows)
    assert len(shown) == 1 + len(rows)
    for row, line in zip(rows, shown[1:], strict=True):
        assert line.split() == " ".join(row).split()
