"""A new product that is made of a topic: what its contract says of its messages.

Belongs here: the stream of the contract, and what of data that was looked at is true of messages.
Does not belong here: what a stream may say (`contracts/streams/`), the rest of the contract.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from shared_resources.contracts.file_formats import JSONL
from shared_resources.inference.inferred import Inferred
from shared_resources.scaffolding.new_files import NotMade

# How many seconds of messages are committed at once, and how many of a hundred may be malformed before
# all of them wait for a person.
WINDOW_SECONDS, LOSS_BUDGET_PERCENT = 5, 5


def stream_properties(topic: str, inferred: Inferred | None) -> list[dict[str, Any]]:
    """The contract's custom properties of a product of the topic."""
    stream: dict[str, Any] = {
        "topic": topic,
        "format": "json",
        "mode": "append",
        "window": WINDOW_SECONDS,
    }
    landing = inferred.landing if inferred is not None else None
    if landing and "extraColumns" in landing:  # fields were found that no column can hold
        stream["extraColumns"] = landing["extraColumns"]
    return [
        {"property": "stream", "vendor": "mesh", "value": stream},
        {"property": "lossBudgetPercent", "vendor": "mesh", "value": LOSS_BUDGET_PERCENT},
    ]


def of_messages(inferred: Inferred) -> Inferred:
    """What was found in one file of JSON lines, each a message. Raises `NotMade` for anything else."""
    landing = inferred.landing or {}
    if landing.get("format") != JSONL.name or Path(inferred.source).is_dir():
        raise NotMade(
            f"{inferred.source}: a topic's messages are JSON here; give --from one file of JSON lines "
            "(.jsonl), each as a message is"
        )
    confirm = list(inferred.to_confirm)
    if "nullText" in landing:
        confirm.append(
            f"{landing['nullText']!r} stood for nothing in the file; of a message, null does, or a field "
            "that is not there"
        )
    return replace(inferred, partitions=None, to_confirm=tuple(confirm))
