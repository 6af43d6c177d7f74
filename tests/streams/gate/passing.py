"""A gate in this process, and what is in its topics.

Belongs here: what several tests of the gate share. Does not belong here: tests.
"""

from shared_resources.streams.gate.process import GateProcess
from tests.guarantees.processes import definition
from tests.streams.receipts import PRODUCT

GOOD, BAD = "receipts.good", "receipts.bad"
WITH_BOTH = {"gate": {"topic": GOOD}, "deadLetters": {"topic": BAD}}


class _Everything:
    def given(self, partitions):
        return {}

    def taken(self, partitions):
        pass


def in_topic(log, topic):
    """All of its messages that are committed."""
    state = log.topic(topic)
    if state is None:
        return []
    reader = log.reader(topic, f"looks into {topic}", _Everything())
    found = []
    try:
        while True:
            found += reader.take(100_000, 1).to_pylist()
            positions = reader.positions()
            if len(positions) == state.partitions and all(
                positions[p] >= end for p, end in state.ends.items()
            ):
                return found
    finally:
        reader.close()


def gate(mesh, **told):
    return GateProcess(
        mesh.environment, definition(mesh.environment, PRODUCT), lambda: False, **told
    )


def pass_all(mesh, **told):
    process = gate(mesh, **told)
    process.run(mesh.environment.log.topic("receipts").ends)
    return process
