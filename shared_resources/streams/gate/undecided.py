"""What a job of Flink's at a gate could not decide, as messages of the stream again.

Belongs here: reading them as they came, the definition of who does, noting how far the job is, which
notes nothing of itself.
Does not belong here: what the job leaves (`flink/gate_sql.py`), the process (`process.py`).

The job writes such a message whole to a topic of its own, with where it was. The gate's process reads
that topic as a stream of the same contract; what it writes is what it would write without a job.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from shared_resources.contracts.model import Contract
from shared_resources.contracts.streams.model import Engine
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.streams.log.port import message_schema

if TYPE_CHECKING:
    from shared_resources.environment import Environment

# The headers by which a job says where a message was.
SOURCE_PARTITION, SOURCE_OFFSET = "mesh.undecided_partition", "mesh.undecided_offset"


def has_job(contract: Contract) -> bool:
    """Whether a job passes the messages of its gate on."""
    stream = contract.stream
    return stream is not None and stream.gate is not None and stream.gate.engine is Engine.FLINK


def of_undecided(definition: ProductDefinition) -> ProductDefinition:
    """The product as if it was made of what the job could not decide."""
    return replace(definition, contract=undecided(definition.contract))


def undecided(contract: Contract) -> Contract:
    stream = contract.stream
    assert stream is not None and stream.gate is not None
    reading = replace(
        stream,
        topic=stream.gate.undecided,
        undecided_of=stream.topic,
        gate=replace(stream.gate, engine=Engine.MESH),
    )
    return replace(contract, stream=reading)


def as_they_came(messages: pa.Table) -> pa.Table:
    """Undecided messages with the partition, the offset and the headers that they had in the stream.

    One that another has put there is as it is.
    """
    places = {name: messages[name].to_pylist() for name in ("partition", "offset")}
    added = {SOURCE_PARTITION: "partition", SOURCE_OFFSET: "offset"}
    headers: list[list[dict[str, object]] | None] = []
    for row, came in enumerate(messages["headers"].to_pylist()):
        said = {one["name"]: one["value"] for one in came or () if one["name"] in added}
        if len(said) == len(added) and all(value and value.isdigit() for value in said.values()):
            for name, value in said.items():
                places[added[name]][row] = int(value)
            came = [one for one in came if one["name"] not in added] or None
        headers.append(came)
    schema = message_schema()
    for name, values in {**places, "headers": headers}.items():
        place = schema.get_field_index(name)
        messages = messages.set_column(
            place, schema.field(place), pa.array(values, schema.field(place).type)
        )
    return messages


def note_the_job(environment: Environment, contract: Contract) -> None:
    """Where a job has the gate, if one has, as it tells Kafka after each of its checkpoints."""
    from shared_resources.streams.gate.standing import Note, gate_of, read_notes, write_notes

    if contract.stream is None or not has_job(contract):
        return
    name, topic = gate_of(environment, contract), environment.log.topic(contract.stream.topic)
    if topic is None:
        return
    noted = read_notes(environment.state, name)
    at = environment.log.positions_of(topic.name, name)
    moved = {
        p: Note(topic.name, topic.id, position)
        for p, position in at.items()
        if p not in noted or noted[p].position != position
    }
    if moved:
        write_notes(environment.state, name, moved)
