"""Where Cassandra is, from the variables of the environment.

Belongs here: `MESH_SERVING` and what belongs to it, and what is wrong with them.
Does not belong here: connecting (`session.py`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from shared_resources.environment import EnvironmentProblem

VARIABLE = "MESH_SERVING"
EMBEDDED = "embedded"  # SQLite, on a machine of production that is alone
USER, PASSWORD, CA = "MESH_SERVING_USER", "MESH_SERVING_PASSWORD", "MESH_SERVING_CA"
# Said by who has a network of his own that nobody else is in (a tunnel, a mesh of proxies).
PLAINTEXT, ALLOWED = "MESH_SERVING_PLAINTEXT", "allowed"
_FORM = "write it as cassandra://host[,host…][:port]/keyspace/datacenter, or embedded"
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
    clear_beyond: bool = False

    @property
    def stays_here(self) -> bool:
        """Whether nodes beyond this machine are left alone: one on it, at the end of a tunnel, names the
        others, and the password would go to them in clear."""
        return bool(self.password) and self.ca is None and not self.clear_beyond


def read_settings(variables: Mapping[str, str]) -> CassandraSettings | None:
    """None where the variable is not set, or says `embedded`. Raises `EnvironmentProblem`, which shows no
    secret."""
    said = variables.get(VARIABLE, "")
    if said in ("", EMBEDDED):
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
    if password and not ca:
        _refuse_clear(hosts.split(","), variables.get(PLAINTEXT, ""))
    return CassandraSettings(
        tuple(hosts.split(",")),
        number,
        keyspace,
        datacenter,
        user,
        password,
        Path(ca) if ca else None,
        variables.get(PLAINTEXT, "") == ALLOWED,
    )


def _refuse_clear(hosts: list[str], allowed: str) -> None:
    """The driver sends a password as it is, to whoever asks for one."""
    if allowed not in ("", ALLOWED):
        raise EnvironmentProblem(f"{PLAINTEXT} is {ALLOWED!r}, or is not set")
    beyond = [host for host in hosts if not is_here(host)]
    if beyond and not allowed:
        raise EnvironmentProblem(
            f"{PASSWORD} would be sent to {beyond[0]} in clear, as {CA} is not set; set it to the file "
            f"of the certificate that signed the servers', or {PLAINTEXT}={ALLOWED} where the network "
            "itself is encrypted"
        )


def is_here(host: str) -> bool:
    """Whether it is this machine, as far as its name or address says."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
