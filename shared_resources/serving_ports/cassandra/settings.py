"""Where Cassandra is, from the variables of the environment.

Belongs here: `MESH_SERVING` and what belongs to it, and what is wrong with them.
Does not belong here: connecting (`session.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from shared_resources.environment import EnvironmentProblem

VARIABLE = "MESH_SERVING"
USER, PASSWORD, CA = "MESH_SERVING_USER", "MESH_SERVING_PASSWORD", "MESH_SERVING_CA"
_FORM = "write it as cassandra://host[,host…][:port]/keyspace/datacenter"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


@dataclass(frozen=True)
class CassandraSettings:
    hosts: tuple[str, ...]
    port: int
    keyspace: str
    datacenter: str
    user: str = ""
    password: str = field(default="", repr=False)
    ca: Path | None = None


def read_settings(variables: Mapping[str, str]) -> CassandraSettings | None:
    """None where the variable is not set. Raises `EnvironmentProblem`, which shows no secret."""
    said = variables.get(VARIABLE, "")
    if not said:
        return None
    try:
        parts = urlsplit(said)
        hosts, _, port = parts.netloc.partition(":")
        number = int(port or 9042)
    except ValueError:
        raise EnvironmentProblem(f"{VARIABLE} is no address; {_FORM}") from None
    keyspace, _, datacenter = parts.path.removeprefix("/").partition("/")
    if parts.scheme != "cassandra" or not hosts or "@" in parts.netloc:
        raise EnvironmentProblem(f"{VARIABLE} is no address of Cassandra; {_FORM}")
    if not _NAME.fullmatch(keyspace) or not datacenter:
        raise EnvironmentProblem(f"{VARIABLE} names no keyspace and datacenter; {_FORM}")
    user, password = variables.get(USER, ""), variables.get(PASSWORD, "")
    if bool(user) != bool(password):
        raise EnvironmentProblem(f"{USER} and {PASSWORD} belong together; set both, or none")
    ca = variables.get(CA, "")
    if ca and not Path(ca).is_file():
        raise EnvironmentProblem(
            f"{CA} names no file; give the certificate of who signed the servers'"
        )
    return CassandraSettings(
        tuple(hosts.split(",")),
        number,
        keyspace,
        datacenter,
        user,
        password,
        Path(ca) if ca else None,
    )
