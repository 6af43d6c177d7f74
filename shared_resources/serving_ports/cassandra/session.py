"""One session of Cassandra a process, and its problems in words.

Belongs here: connecting, the table that the port is told by, statements prepared once.
Does not belong here: what the statements are (`port.py`).
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from shared_resources.problems import MeshProblem
from shared_resources.serving_ports.cassandra.settings import CassandraSettings, is_here
from shared_resources.serving_ports.port import PortUnreachable

GENERATIONS = "mesh_generations"
_CREATE = f"""CREATE TABLE IF NOT EXISTS {GENERATIONS} (
  product text, id text, current text static, generation text, state text, since text,
  PRIMARY KEY (product, id))"""


class NotInstalled(MeshProblem):
    """The driver of Cassandra is not installed."""

    exit_code = 2


class CassandraSession:
    """Connects when it is first asked."""

    def __init__(self, settings: CassandraSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._prepared: dict[str, Any] = {}
        self._session: Any = None

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._settings,)

    def execute(self, cql: str, values: Sequence[object] = (), *, serial: bool = False) -> Any:
        """The rows of a statement. A `serial` read sees what a conditional write has decided."""
        from cassandra import ConsistencyLevel

        with self.problems():
            bound = self._prepare(cql).bind(values)
            if serial:
                bound.consistency_level = ConsistencyLevel.LOCAL_SERIAL
            return self.opened.execute(bound)

    def execute_many(self, cql: str, rows: Sequence[Sequence[object]]) -> None:
        from cassandra.concurrent import execute_concurrent_with_args

        with self.problems():
            execute_concurrent_with_args(self.opened, self._prepare(cql), rows, concurrency=64)

    def execute_together(self, statements: Sequence[tuple[str, Sequence[object]]]) -> Any:
        """A logged batch: all of them, or none."""
        from cassandra.query import BatchStatement, BatchType

        with self.problems():
            batch = BatchStatement(BatchType.LOGGED)
            for cql, values in statements:
                batch.add(self._prepare(cql).bind(values))
            return self.opened.execute(batch)

    def define(self, cql: str) -> None:
        """A statement that changes the schema; returns when every node has it."""
        with self.problems():
            self.opened.execute(cql, timeout=60)

    def tables(self, begins: str) -> set[str]:
        """The tables of the keyspace whose names begin so."""
        rows = self.execute(
            "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?",
            (self._settings.keyspace,),
        )
        return {one.table_name for one in rows if one.table_name.startswith(begins)}

    def forget_prepared(self, of: str) -> None:
        with self._lock:
            self._prepared = {cql: one for cql, one in self._prepared.items() if of not in cql}

    @property
    def opened(self) -> Any:
        with self._lock:
            if self._session is None:
                self._session = self._connect()
            return self._session

    def _connect(self) -> Any:
        try:
            from cassandra import ConsistencyLevel
            from cassandra.auth import PlainTextAuthProvider
            from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
            from cassandra.policies import (
                DCAwareRoundRobinPolicy,
                HostFilterPolicy,
                TokenAwarePolicy,
            )
        except ModuleNotFoundError as missing:
            raise NotInstalled(
                "the driver of Cassandra is not installed; run "
                "`pip install 'dagster-data-mesh[serving]'`, or `make setup`"
            ) from missing
        said = self._settings
        near = TokenAwarePolicy(DCAwareRoundRobinPolicy(said.datacenter))
        if said.stays_here:
            near = HostFilterPolicy(near, lambda host: is_here(host.address))
        profile = ExecutionProfile(
            near,
            consistency_level=ConsistencyLevel.LOCAL_QUORUM,
            serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
            request_timeout=10,
        )
        cluster = Cluster(
            said.hosts,
            port=said.port,
            protocol_version=5,  # that of Cassandra 4 and 5: newer ones would be tried first, each anew
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            auth_provider=PlainTextAuthProvider(said.user, said.password) if said.user else None,
            ssl_context=ssl.create_default_context(cafile=str(said.ca)) if said.ca else None,
        )
        session = cluster.connect(said.keyspace)
        session.execute(_CREATE)
        return session

    def _prepare(self, cql: str) -> Any:
        found = self._prepared.get(cql)
        if found is None:
            found = self._prepared[cql] = self.opened.prepare(cql)
        return found

    @contextmanager
    def problems(self) -> Iterator[None]:
        try:
            from cassandra import DriverException, InvalidRequest
            from cassandra.cluster import NoHostAvailable
        except ModuleNotFoundError:
            self._connect()
            raise
        try:
            yield
        except InvalidRequest:
            raise  # of a table that was dropped: the port knows what that means
        except (NoHostAvailable, DriverException, OSError) as problem:
            where = f"{','.join(self._settings.hosts)}:{self._settings.port}"
            raise PortUnreachable(
                f"Cassandra at {where}, keyspace {self._settings.keyspace}: {type(problem).__name__}; "
                "see that it runs, that the keyspace is there, and that MESH_SERVING is right"
            ) from problem
