"""What a client of Kafka's says to itself reaches no terminal: people are told once, by a problem."""

from __future__ import annotations

import pytest

from tests.cli.commands import start
from tests.streams.receipts import PRODUCT, contract
from tests.tiny_mesh import TinyMesh


@pytest.mark.slow  # as long as the brokers are waited for
def test_brokers_that_do_not_answer_are_said_in_one_line(mesh: TinyMesh) -> None:
    mesh.product(PRODUCT, contract())
    asked = {"MESH_LOG": "kafka", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    ended = start("stream", PRODUCT, **asked)
    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1 and "does not answer" in ended.err, ended.err
