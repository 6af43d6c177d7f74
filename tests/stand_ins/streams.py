"""A real Kafka and a real Cassandra for a command, where Java is.

Belongs here: both of them, and the variables that lead a local mesh to them.
Does not belong here: the servers (`kafka.py`, `cassandra.py`), the command line (`__main__.py`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from tests.stand_ins.cassandra import running_cassandra
from tests.stand_ins.kafka import running_kafka


def lacks() -> str:
    """Why they cannot be started here; nothing where they can."""
    missing = [name for name in ("java", "mvn") if shutil.which(name) is None]
    if not missing:
        return ""
    return (
        f"{' and '.join(missing)} not found: Kafka and Cassandra need a JRE of 17, and Maven, which "
        "fetches their jars once (Debian: `apt-get install default-jre-headless maven`). `make demo` "
        "shows streams without them, on the mesh's own log"
    )


@contextmanager
def running_streams() -> Iterator[dict[str, str]]:
    """The variables of a mesh whose topics are in the one, and whose served rows are in the other."""
    with running_kafka() as kafka, running_cassandra() as cassandra:
        yield {
            "MESH_ENV": "local",
            "MESH_LOG": "kafka",
            "KAFKA_BOOTSTRAP_SERVERS": kafka.address,
            **cassandra.fresh(),
        }
