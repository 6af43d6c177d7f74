"""What a topic may be called: the same in every log.

Belongs here: Kafka's rule for names. Does not belong here: who may make a topic.
"""

from __future__ import annotations

import re

from shared_resources.streams.log.port import LogProblem

# https://kafka.apache.org: letters, digits, `.`, `_`, `-`; it becomes a folder's name on a broker.
_TOPIC = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,249}\Z")


def check_topic_name(name: str) -> str:
    """The name. Raises `LogProblem` when no topic can be called so."""
    if not _TOPIC.match(name):
        raise LogProblem(
            f"No topic can be called {name[:80]!r}: use up to 249 letters from A to Z, digits, '.', '_' "
            "and '-'."
        )
    return name
