"""Where Cassandra is: what the variables say, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.environment import EnvironmentProblem
from shared_resources.serving_ports.cassandra.settings import read_settings

GOOD = "cassandra://a.example.com,b.example.com:9142/mesh/eu_west"
LOGIN = {"MESH_SERVING_USER": "mesh", "MESH_SERVING_PASSWORD": "planted"}


def test_the_address_is_read(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    found = read_settings({"MESH_SERVING": GOOD, "MESH_SERVING_CA": str(ca), **LOGIN})
    assert found is not None and "planted" not in repr(found)
    assert (found.hosts, found.port) == (("a.example.com", "b.example.com"), 9142)
    assert (found.keyspace, found.datacenter, found.user) == ("mesh", "eu_west", "mesh")
    assert not found.stays_here and read_settings({}) is None
    assert read_settings({"MESH_SERVING": "embedded"}) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.9,localhost"])
def test_on_this_machine_a_password_needs_no_tls_and_goes_to_no_other(host: str) -> None:
    found = read_settings({"MESH_SERVING": f"cassandra://{host}/mesh/dc", **LOGIN})
    assert found is not None and found.stays_here
    bare = read_settings({"MESH_SERVING": f"cassandra://{host}/mesh/dc"})
    assert bare is not None and not bare.stays_here


@pytest.mark.parametrize("host", ["a.example.com", "127.0.0.1,10.0.0.7", "localhost.example.com"])
def test_a_password_goes_to_another_machine_in_clear_only_where_that_is_allowed(host: str) -> None:
    said = {"MESH_SERVING": f"cassandra://{host}/mesh/dc", **LOGIN}
    with pytest.raises(
        EnvironmentProblem, match="in clear, as MESH_SERVING_CA is not set"
    ) as raised:
        read_settings(said)
    assert "planted" not in str(raised.value)
    found = read_settings({**said, "MESH_SERVING_PLAINTEXT": "allowed"})
    assert found is not None and not found.stays_here
    with pytest.raises(EnvironmentProblem, match="MESH_SERVING_PLAINTEXT is 'allowed'"):
        read_settings({**said, "MESH_SERVING_PLAINTEXT": "1"})


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
