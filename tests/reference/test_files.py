"""What is committed is what `make reference` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.reference.described import NotDescribed, described
from shared_resources.reference.files import made_files
from tests.architecture.tree import ROOT, tracked_files

MADE = made_files(ROOT)


@pytest.mark.parametrize("file", list(MADE), ids=str)
def test_the_committed_file_is_what_the_code_makes(file: Path) -> None:
    assert (ROOT / file).read_text(encoding="utf-8") == MADE[file], "run `make reference`"


def test_nothing_else_lies_among_the_made_files() -> None:
    committed = {name for name in tracked_files() if name.is_relative_to("docs/reference")}
    assert committed <= set(MADE)


def test_a_name_of_the_code_without_words_is_an_error_and_so_are_words_without_a_name() -> None:
    assert described(["b", "a"], {"a": 1, "b": 2}) == {"b": 2, "a": 1}
    with pytest.raises(NotDescribed, match="says nothing of b"):
        described(["a", "b"], {"a": 1})
    with pytest.raises(NotDescribed, match="speaks of b, which is gone"):
        described(["a"], {"a": 1, "b": 2})
