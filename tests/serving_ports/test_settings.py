"""Where Cassandra is: what the variables say, and what is wrong with them."""

from __future__ import annotations

import pytest

from shared_resources.environment import EnvironmentProblem
from shared_resources.serving_ports.cassandra.settings import read_settings

GOOD = "cassandra://a.example.com,b.example.com:9142/mesh/eu_west"


def test_the_address_is_read() -> None:
    found = read_settings(
        {"MESH_SERVING": GOOD, "MESH_SERVING_USER": "mesh", "MESH_SERVING_PASSWORD": "planted"}
    )
    assert found is not None and "planted" not in repr(found)
    assert (found.hosts, found.port) == (("a.example.com", "b.example.com"), 9142)
    assert (found.keyspace, found.datacenter, found.user) == ("mesh", "eu_west", "mesh")
    assert read_settings({}) is None


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"MESH_SERVING": "localhost"}, "no address of Cassandra"),
        ({"MESH_SERVING": "cassandra://u:planted@a/mesh/dc"}, "no address"),
        ({"MESH_SERVING": "cassandra://a:x/mesh/dc"}, "no address"),
        ({"MESH_SERVING": "cassandra://a/mesh"}, "no keyspace and datacenter"),
        ({"MESH_SERVING": "cassandra://a/Mesh;/dc"}, "no keyspace and datacenter"),
        ({"MESH_SERVING": GOOD, "MESH_SERVING_USER": "mesh"}, "belong together"),
        ({"MESH_SERVING": GOOD, "MESH_SERVING_CA": "/nowhere"}, "names no file"),
    ],
)
def test_what_is_wrong_is_said_without_a_secret(variables: dict[str, str], said: str) -> None:
    with pytest.raises(EnvironmentProblem, match=said) as raised:
        read_settings(variables)
    assert "planted" not in str(raised.value)
