"""Queues of a production environment for tests: with a dead-letter queue, and without.

Belongs here: making them, sending to them, counting what is in them.
Does not belong here: what a message says (the tests, `simulated.Producer.event`).
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from shared_resources.contracts.model import Contract
from shared_resources.wiring import ProductionEnvironment

TEMPLATE = "mesh-{domain}-{product}"
RECEIVED_AT_MOST = 2


def with_events(production: ProductionEnvironment) -> ProductionEnvironment:
    """The environment with MESH_LANDING_EVENTS=sqs."""
    settings = replace(production.settings, landing_queue=TEMPLATE)
    return replace(production, settings=settings)


class Queue:
    """The queue of a contract. A message that was received can be received again at once."""

    def __init__(
        self, environment: ProductionEnvironment, contract: Contract, *, redrive: bool = True
    ) -> None:
        self.name = TEMPLATE.format(domain=contract.domain, product=contract.name)
        self.client = environment.settings.sqs()
        attributes = {"VisibilityTimeout": "0"}
        self.dead: str | None = None
        if redrive:
            self.dead = self.client.create_queue(QueueName=f"{self.name}-dead")["QueueUrl"]
            arn = self._attribute(self.dead, "QueueArn")
            attributes["RedrivePolicy"] = json.dumps(
                {"deadLetterTargetArn": arn, "maxReceiveCount": RECEIVED_AT_MOST}
            )
        self.url = self.client.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"]

    @property
    def arn(self) -> str:
        return self._attribute(self.url, "QueueArn")

    def send(self, message: Any) -> None:
        body = message if isinstance(message, str) else json.dumps(message)
        self.client.send_message(QueueUrl=self.url, MessageBody=body)

    def __len__(self) -> int:
        return int(self._attribute(self.url, "ApproximateNumberOfMessages"))

    def dead_letters(self) -> int:
        assert self.dead is not None
        return int(self._attribute(self.dead, "ApproximateNumberOfMessages"))

    def _attribute(self, url: str, name: Any) -> str:
        return self.client.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][
            name
        ]
