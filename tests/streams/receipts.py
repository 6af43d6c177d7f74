"""A mesh with one product that is made of a topic."""

import json

import pyarrow as pa

from shared_resources.streams.log.port import message_schema
from tests.tiny_mesh import column, contract_text

PRODUCT = "shop/receipts"


def contract(budget=50, columns=(), **stream):
    return contract_text(
        PRODUCT,
        [
            column("receipt_id", primaryKey=True),
            column("till", "VARCHAR", required=True),
            {
                **column("paid", "DOUBLE", logicalTypeOptions={"minimum": 0}),
                "physicalType": "DECIMAL(10,2)",
            },
            *columns,
        ],
        properties={
            "stream": {"topic": "receipts", "format": "json", "window": 1, **stream},
            "lossBudgetPercent": budget,
        },
    )


def receipt(number, till="one", paid=1.5):
    return {"receipt_id": number, "till": till, "paid": paid}


def messages(values, keys=None, partition=-1):
    """Values as they are sent: dictionaries as JSON, bytes as they are, None a tombstone."""
    written = [json.dumps(v).encode() if isinstance(v, dict) else v for v in values]
    count = len(written)
    return pa.table(
        {
            "partition": [partition] * count,
            "offset": [0] * count,
            "timestamp": pa.array([1_700_000_000_000] * count, pa.timestamp("ms", "UTC")),
            "key": pa.array(keys or [str(n).encode() for n in range(count)], pa.binary()),
            "value": pa.array(written, pa.binary()),
            "headers": pa.array([None] * count, message_schema().field("headers").type),
        },
        schema=message_schema(),
    )


def send(mesh, values, topic="receipts", **how):
    writer = mesh.environment.log.writer()
    writer.send(topic, messages(values, **how))
    writer.flush()
    writer.close()
