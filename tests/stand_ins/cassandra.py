"""Cassandra: the real server, of Maven's jars, on free ports of loopback.

Belongs here: starting and stopping it, empty keyspaces. Does not belong here: what is in them; where
the jars lie (`java_jars.py`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.stand_ins.java_jars import class_path, jars
from tests.stand_ins.servers import free_port

CASSANDRA = "org.apache.cassandra:cassandra-all:5.0.5"
DATACENTER = "datacenter1"
STARTING_SECONDS = 180
_OPENED = (
    "java.base/java.io", "java.base/java.lang", "java.base/java.lang.reflect", "java.base/java.math",
    "java.base/java.net", "java.base/java.nio", "java.base/java.util", "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic", "java.base/jdk.internal.misc", "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect", "java.base/jdk.internal.math", "java.base/jdk.internal.module",
    "java.base/jdk.internal.util.jar", "java.base/sun.nio.ch", "java.base/sun.nio.fs",
    "java.base/java.lang.ref", "java.management/com.sun.jmx.remote.security",
    "java.management.rmi/javax.management.remote.rmi", "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server", "java.rmi/sun.rmi.transport", "java.rmi/sun.rmi.transport.tcp",
    "java.sql/java.sql", "java.sql/java.sql", "jdk.management/com.sun.management.internal",
    "jdk.naming.dns/com.sun.jndi.dns", "jdk.unsupported/sun.misc",
)  # fmt: skip
_CONFIGURATION = """
cluster_name: tests
num_tokens: 1
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
commitlog_sync: periodic
commitlog_sync_period: 1000ms
commitlog_directory: {home}/commitlog
data_file_directories: [{home}/data]
saved_caches_directory: {home}/caches
hints_directory: {home}/hints
cdc_raw_directory: {home}/cdc
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
storage_port: {storage}
native_transport_port: {native}
start_native_transport: true
endpoint_snitch: SimpleSnitch
auto_snapshot: false
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{{seeds: "127.0.0.1:{storage}"}}]
"""


@dataclass(frozen=True)
class Cassandra:
    """A running server. `fresh()` gives the variables that lead to an empty keyspace."""

    port: int
    home: Path
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = self.home / "log"
        with log.open("ab") as said:
            process = subprocess.Popen(
                _command(self.folder, self.home), cwd=self.home, stdout=said, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        _wait_for(self, process, log)

    def kill(self) -> None:
        process = self.processes[-1]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # nothing of it is to outlast the tests
        process.wait()

    def kill_and_restart(self) -> None:
        """As it is after a crash: from its own commit log, on the same port."""
        self.kill()
        self.start()

    def fresh(self) -> dict[str, str]:
        keyspace = f"mesh_{uuid.uuid4().hex[:12]}"
        with self.session() as session:
            session.execute(
                f"CREATE KEYSPACE {keyspace} WITH replication = "
                "{'class': 'SimpleStrategy', 'replication_factor': 1}"
            )
        return {"MESH_SERVING": f"cassandra://127.0.0.1:{self.port}/{keyspace}/{DATACENTER}"}

    @contextmanager
    def session(self) -> Iterator[object]:
        from cassandra.cluster import Cluster

        cluster = Cluster(["127.0.0.1"], port=self.port, connect_timeout=20)
        try:
            yield cluster.connect()
        finally:
            cluster.shutdown()


@contextmanager
def running_cassandra() -> Iterator[Cassandra]:
    """The server, for as long as the block lasts. Skips or fails the test on a machine without Java."""
    folder = jars(CASSANDRA)
    with tempfile.TemporaryDirectory(prefix="mesh-c-", ignore_cleanup_errors=True) as home:
        native = free_port()
        said = _CONFIGURATION.format(home=home, native=native, storage=free_port())
        Path(home, "cassandra.yaml").write_text(said)
        made = Cassandra(native, Path(home), folder)
        try:
            made.start()
            yield made
        finally:
            if made.processes:
                made.kill()


def _command(folder: Path, home: Path) -> list[str]:
    (jamm,) = folder.glob("jamm-*.jar")
    opened = [
        argument
        for package in dict.fromkeys(_OPENED)
        for argument in (
            "--add-opens",
            f"{package}=ALL-UNNAMED",
            "--add-exports",
            f"{package}=ALL-UNNAMED",
        )
    ]
    return [
        "java", *opened, f"-javaagent:{jamm}", "-Xmx512m", "-Xss512k", "-Djava.security.manager=allow",
        f"-Dcassandra.config=file://{home}/cassandra.yaml", f"-Dcassandra.storagedir={home}",
        "-Dcassandra.ring_delay_ms=100", "-Dcassandra.skip_wait_for_gossip_to_settle=0",
        "-Dcassandra.superuser_setup_delay_ms=0", "-Dio.netty.tryReflectionSetAccessible=true",
        "-cp", class_path(folder), "org.apache.cassandra.service.CassandraDaemon",
    ]  # fmt: skip


def _wait_for(made: Cassandra, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"Cassandra ended while it started:\n{log.read_text()[-4000:]}")
        try:
            with made.session():
                return
        except Exception:  # noqa: BLE001 - whatever the driver says while nothing listens yet
            time.sleep(0.5)
    raise TimeoutError(
        f"Cassandra did not answer in {STARTING_SECONDS} s:\n{log.read_text()[-4000:]}"
    )
