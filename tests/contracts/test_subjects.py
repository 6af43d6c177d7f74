"""`subject`: which column is the key of whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.contracts.odcs import read_contract_text
from shared_resources.findings import InvalidFile
from tests.tiny_mesh import column, contract_text, custom

FILE = Path("contract.odcs.yaml")


def test_a_text_or_an_integer_is_a_key() -> None:
    whose = custom(subject="customer")
    columns = [column("a", customProperties=whose), column("b", "VARCHAR", customProperties=whose)]
    read = read_contract_text(contract_text("shop/people", [*columns, column("c")]), FILE)
    assert [one.subject for one in read.columns] == ["customer", "customer", ""]


@pytest.mark.parametrize(
    ("physical", "value", "said"),
    [
        ("BIGINT", "A customer", "does not name a kind of subject"),
        ("BIGINT", ["customer"], "does not name a kind of subject"),
        ("DOUBLE", "customer", "by which nobody is found"),
        ("DATE", "customer", "by which nobody is found"),
    ],
)
def test_what_can_be_no_key_is_a_finding(physical: str, value: object, said: str) -> None:
    key = column("a", physical, customProperties=custom(subject=value))
    with pytest.raises(InvalidFile) as refused:
        read_contract_text(contract_text("shop/people", [key, column("b")]), FILE)
    assert said in str(refused.value)
