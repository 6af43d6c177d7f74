"""What is left of an error's message where a value may stand in it."""

from __future__ import annotations

import pytest

from shared_resources.confinement.withholding import MASK, withheld, words_of

CODE = words_of("def orders(customers):\n    raise ValueError('bad salary of a customer')")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("bad salary 81234 of Ada", f"bad salary {MASK} of {MASK}"),
        ("bad salary 81234.56 of Ada Lovelace", f"bad salary {MASK} of {MASK}"),
        (
            "could not convert string to float: 'Ada'",
            f"could not convert string to float: '{MASK}'",
        ),
        ("KeyError: 'salary'", "KeyError: 'salary'"),
        ("KeyError: 'ada@example.com'", f"KeyError: '{MASK}'"),
        (
            "Conversion Error: Could not convert string 'x9' to INT32",
            f"Conversion Error: Could not convert string '{MASK}' to INT32",
        ),
        (
            "Out of Range Error: Overflow in multiplication of INT32 (81234 * 99999)!",
            f"Out of Range Error: Overflow in multiplication of INT32 ({MASK} * {MASK})!",
        ),
        ("born 1990-03-31", MASK),
        ("Zürich, Łódź, 東京", MASK),
        ("FROM", "FROM"),
        ("", ""),
    ],
)
def test_only_words_that_cannot_be_a_value_are_left(said: str, shown: str) -> None:
    assert withheld(said, CODE) == shown


@pytest.mark.parametrize("value", ["81234", "Ada", "4111111111111111", "ада", "a1b2", "O'Brien"])
@pytest.mark.parametrize("form", ["{}", "'{}'", '"{}"', "x={}", "({},{})", "value {}!", "a_{}"])
def test_a_value_is_masked_however_it_stands(value: str, form: str) -> None:
    assert value not in withheld(form.format(value, value), CODE)
