"""What `mesh stream` is asked of the wrong product is said, with what to do, and ends with 2."""

from __future__ import annotations

import pytest

from tests.cli.commands import call
from tests.streams.receipts import PRODUCT, contract
from tests.tiny_mesh import TinyMesh, column, contract_text

COMMANDS = ("run", "gate", "live", "job", "skip")
PLAIN = "crm/tills"


@pytest.fixture
def shop(mesh: TinyMesh) -> TinyMesh:
    mesh.product(PRODUCT, contract())
    landing = {"prefix": PLAIN, "format": "jsonl", "mode": "replace", "object": "*.jsonl"}
    mesh.product(
        PLAIN, contract_text(PLAIN, [column("till", "VARCHAR")], properties={"landing": landing})
    )
    return mesh


def asked(command: str, product: str, *more: str) -> tuple[str, ...]:
    reason = ("--reason", "gone") if command == "skip" else ()
    return ("stream", command, product, *more, *reason)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_product_that_there_is_not(shop: TinyMesh, command: str) -> None:
    call(*asked(command, "shop/receipt")).refused("no product", f"did you mean {PRODUCT}?")


@pytest.mark.parametrize("command", ("run", "gate", "job", "skip"))
def test_a_product_that_is_made_of_no_topic(shop: TinyMesh, command: str) -> None:
    call(*asked(command, PLAIN)).refused("made of no topic", f"`mesh run {PLAIN}` makes it")


@pytest.mark.parametrize(
    "given, says",
    [
        (("live", PRODUCT), "decorate a class with @live in"),
        (("gate", PRODUCT), "a `gate: {topic: …}`"),
        (("skip", PRODUCT, "--gate"), "a `gate: {topic: …}`"),
        (("job", PRODUCT, "--print"), "add `engine: flink` to its `stream` in"),
        (("job", PRODUCT), "MESH_FLINK must be the path"),
    ],
)
def test_a_stream_without_what_the_command_is_about(
    shop: TinyMesh, given: tuple[str, ...], says: str
) -> None:
    call(*asked(*given)).refused(says)
