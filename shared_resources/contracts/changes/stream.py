"""Changes of what a contract says of its topic.

Belongs here: what readers of the product lose or get by one.
Does not belong here: other clauses (`contracts/changes/`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shared_resources.contracts.changes.change import Change, breaking, compatible, either
from shared_resources.contracts.streams.model import Delivery, Stream

_CLAUSE = "customProperties.stream"


def stream_changes(was: Stream | None, now: Stream | None) -> Iterator[Change]:
    if was is None or now is None:
        if was is not now:
            made = "a topic's messages" if now else "no topic any more"
            yield compatible(_CLAUSE, f"it is made of {made}; its rules are the same")
        return
    if was.mode is not now.mode:
        said = "rows are added" if now.appends else "of each key the last row stays"
        yield breaking(f"{_CLAUSE}.mode", f"{said} now, and before it was otherwise")
    hours = [one.late.hours if one.late else None for one in (was, now)]
    columns = [one.late.column if one.late else "" for one in (was, now)]
    if (hours, columns) != (hours[::-1], columns[::-1]):
        fewer = hours[1] is not None and (
            hours[0] is None or hours[1] < hours[0] or columns[0] != columns[1]
        )
        said = f"what is {hours[1]} hours late is no row" if hours[1] else "nothing is late"
        yield either(fewer, f"{_CLAUSE}.late", f"{said} any more" if hours[1] else said)
    yield from _gate_changes(was, now)
    if _taken(was) != _taken(now):
        yield compatible(_CLAUSE, "its messages are taken otherwise; its rules are the same")


def _gate_changes(was: Stream, now: Stream) -> Iterator[Change]:
    clause = f"{_CLAUSE}.gate"
    if was.gate is None or now.gate is None:
        if now.gate is not None:
            yield compatible(clause, f"what keeps it is in the topic {now.gate.topic}, too")
        elif was.gate is not None:
            yield breaking(clause, f"nothing comes to the topic {was.gate.topic} any more")
    elif was.gate.topic != now.gate.topic:
        said = f"what keeps it comes to the topic {now.gate.topic}, and no more to {was.gate.topic}"
        yield breaking(f"{clause}.topic", said)
    elif was.gate.delivery is not now.gate.delivery:
        once = now.gate.delivery is Delivery.EXACTLY_ONCE
        said = "stands there once" if once else "may stand there twice"
        yield either(not once, f"{clause}.delivery", f"a message that keeps it {said}")
    if was.gate and now.gate and was.gate.engine is not now.gate.engine:
        yield compatible(f"{clause}.engine", f"{now.gate.engine.value} passes messages on")
    if was.dead_letters != now.dead_letters:
        where = f"in the topic {now.dead_letters}" if now.dead_letters else "in no topic"
        yield compatible(f"{_CLAUSE}.deadLetters", f"what does not pass its gate is {where}")


def _taken(stream: Stream) -> Stream:
    """What readers do not see of it."""
    plain = Stream("", stream.format)
    return replace(stream, mode=plain.mode, late=None, gate=None, dead_letters="", line=plain.line)
