"""Postgres: the real server, from a wheel, on a Unix socket in a folder of its own.

Belongs here: starting and stopping it, empty databases. Does not belong here: what is in them.
"""

from __future__ import annotations

import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

PASSWORD = "planted-postgres-password"


@dataclass(frozen=True)
class Postgres:
    """A running server. `fresh()` gives an empty database; its URL carries a password."""

    server: Any

    def fresh(self) -> str:
        name = f"mesh_{uuid.uuid4().hex[:12]}"
        self.server.psql(f"CREATE DATABASE {name};")
        return f"postgresql://postgres:{PASSWORD}@/{name}?host={self.socket}"

    @property
    def socket(self) -> str:
        return str(self.server.get_postmaster_info().socket_dir)


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """The server, for as long as the block lasts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, which no build machine has
        import pgserver
    # Short: a socket's path may have 107 characters. The server makes and removes the folder.
    with pgserver.get_server(tempfile.mkdtemp(prefix="pg-"), cleanup_mode="delete") as server:
        # Nothing has to outlast the machine, and waiting for its disk takes most of a test's time.
        server.psql("ALTER SYSTEM SET fsync = off;")
        server.psql("SELECT pg_reload_conf();")
        yield Postgres(server)
