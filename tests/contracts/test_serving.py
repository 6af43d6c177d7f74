"""The server `serving`: what it says, and what it cannot be said of."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from shared_resources.contracts.odcs import read_contract_text
from shared_resources.contracts.serving.model import GRACE, KEPT, Serving
from tests.contracts.reading import findings, read, rich
from tests.tiny_mesh import column, contract_text

_ONE = "  - server: serving\n    type: custom\n"


def test_what_is_said_is_read() -> None:
    serving = read(rich()).serving
    assert serving == Serving(("state", "paid_on"), timedelta(minutes=5), 4)


def test_without_words_all_is_served_and_the_defaults_hold(tmp_path: Path) -> None:
    found = []
    for servers in (("lake",), ("lake", "serving")):
        columns = [column("id", primaryKey=True, required=True)]
        text = contract_text("order/orders", columns, servers=servers)
        found.append(read_contract_text(text, tmp_path / "contract.odcs.yaml").serving)
    assert found == [None, Serving(None, GRACE, KEPT)]


def test_two_of_the_name_say_the_same() -> None:
    second = f"{_ONE}    environment: production\nsupport:"
    (found,) = findings(rich(("support:", second)))
    assert "says otherwise than the other server" in found.message


def test_a_product_without_a_key_is_not_served_by_it(tmp_path: Path) -> None:
    no_key = rich(
        ("        primaryKey: true\n        primaryKeyPosition: 1\n", ""),
        ("        primaryKey: true\n        primaryKeyPosition: 2\n", ""),
    )
    assert any("the product has none" in one.message for one in findings(no_key))


def test_a_float_is_no_key_to_read_by() -> None:
    keyed = rich(
        (
            "description: In kilograms.,",
            "description: In kilograms., primaryKey: true, primaryKeyPosition: 3,",
        )
    )
    assert any("'weight', a number that is not exact" in one.message for one in findings(keyed))


def test_what_is_only_served_is_published_nowhere() -> None:
    text = rich()
    start, end = text.index("servers:\n"), text.index("support:")
    (found,) = findings(f"{text[:start]}servers:\n{_ONE}{text[end:]}")
    assert "published nowhere" in found.message
