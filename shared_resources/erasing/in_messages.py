"""Messages that quarantine keeps as they came: which of them are a subject's.

Belongs here: finding keys in the value, the key and the headers of messages.
Does not belong here: entries and their files (`in_quarantine.py`).

A JSON message goes as a line of a landed file does. One in Avro or Protobuf is read as its stream reads
it; what cannot be read so cannot be searched either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from shared_resources.contracts.streams.model import MessageFormat
from shared_resources.erasing.in_text import Words
from shared_resources.erasing.rewritten_objects import NotRewritable, is_one, json_goes
from shared_resources.erasing.subjects import Known, Subjects, columns_by_landed_name
from shared_resources.problems import MeshProblem
from shared_resources.streams.merging import read_keys
from shared_resources.streams.window_rows import read_rows


def of_subjects(messages: pa.Table, known: Known, who: Subjects) -> list[bool]:
    """Whether each of the messages, in `streams.log.port.message_schema()`, is theirs. Raises
    `NotRewritable` where that cannot be told."""
    stream = known.contract.stream
    if stream is None:
        raise NotRewritable("its contract names no topic any more, and so no form of its messages")
    in_values = _in_json if stream.format is MessageFormat.JSON else _in_frames
    keys, words = messages.column("key").to_pylist(), Words(who.distinctive)
    headers = messages.column("headers").to_pylist()
    said = [_said(words, *beside) for beside in zip(keys, headers, strict=True)]
    found = (in_values(messages, known, who), _in_keys(keys, known, who), said)
    return [any(one) for one in zip(*found, strict=True)]


def _in_json(messages: pa.Table, known: Known, who: Subjects) -> list[bool]:
    names, words = {**known.by_name, **columns_by_landed_name(known)}, Words(who.distinctive)
    return [
        value is not None and json_goes(value.decode(errors="replace"), names, who, words)
        for value in messages.column("value").to_pylist()
    ]


def _in_frames(messages: pa.Table, known: Known, who: Subjects) -> list[bool]:
    contract = known.contract
    declared = {column.name for column in contract.columns}
    if gone := [column.name for column in known.columns if column.name not in declared]:
        raise NotRewritable(f"its contract has no {', '.join(gone)} any more to read messages by")
    try:
        read = read_rows(contract, messages)
    except MeshProblem as problem:
        raise NotRewritable(f"its messages cannot be read: {problem}") from problem
    if read.faults:
        raise NotRewritable(
            f"{len(read.faults)} of its messages cannot be read by their schemas and may hold them; they "
            "go when the time is over for which its contract keeps what was rejected"
        )
    found = [False] * messages.num_rows
    for column in known.columns:
        values = read.rows.column(column.name).to_pylist()
        for place, value in zip(read.places, values, strict=True):
            found[place] = found[place] or is_one(value, column, who)
    return found


def _in_keys(keys: Sequence[bytes | None], known: Known, who: Subjects) -> list[bool]:
    """By the primary key, which the key of a message may be."""
    names, columns = known.contract.primary_key, known.by_name
    if not columns.keys() & {*names}:
        return [False] * len(keys)
    return [
        isinstance(read, tuple)
        and any(
            is_one(value, columns[name], who)
            for name, value in zip(names, read, strict=True)
            if name in columns
        )
        for read in read_keys(known.contract, keys)
    ]


def _said(words: Words, key: bytes | None, headers: Sequence[dict[str, Any]] | None) -> bool:
    """Whether what stands beside the value holds one as a word of its own."""
    texts = [key, *(header["value"] for header in headers or ())]
    return any(text is not None and words.found_in(text) for text in texts)
