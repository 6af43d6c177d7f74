"""Contracts as they were compiled before: of a thousand, one has changed since.

Belongs here: keeping compiled contracts below the mesh's state, and when a kept one is still right.
Does not belong here: compiling (`contracts/odcs.py`), or who may do with a kept one.

Compiling takes fifteen times as long as reading what was kept. A kept contract is right as long as
its file has the same bytes and the platform is the same. It is for looking at: a location reads the
contracts of its own domain anew, and of those that it reads, and so does whatever audits, publishes or
judges, so that no file below the state decides what a batch is checked against.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import pickle
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_resources import contracts
from shared_resources.contracts import file_formats
from shared_resources.contracts.model import Contract
from shared_resources.contracts.odcs import compile_contract
from shared_resources.contracts.rules import registry
from shared_resources.contracts.source import MAX_BYTES, parse_source, read_source
from shared_resources.extensions import points
from shared_resources.release import code_digest, version_of
from shared_resources.state.whole_file import write_whole

if TYPE_CHECKING:
    from importlib.metadata import Distribution

Read = tuple[Contract, Mapping[str, int]]

_OURS = f"{contracts.__name__}."
# Values of the interpreter's own types, which nothing in a file can change.
_VALUES = {("decimal", "Decimal")} | {
    ("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")
}
# What reads contracts beside the platform's own code.
_READERS = ("jsonschema", "open-data-contract-standard", "pyarrow", "pyyaml")


def read_contract_anew(file: Path) -> Read:
    """The contract and the line of each of its statements. Raises `InvalidFile`."""
    source = read_source(file)
    return compile_contract(source), source.lines


class KeptContracts:
    """Those below `folder`, which is made when there is something to keep and its parent is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, file: Path) -> Read:
        """As `read_contract_anew`, from what was kept where that is still right."""
        try:
            raw = file.read_bytes()
        except OSError:
            return read_contract_anew(file)  # which says what is wrong
        kept = self._folder / hashlib.sha256(os.fsencode(file)).hexdigest()
        right = None if len(raw) > MAX_BYTES else self._digest(file, raw)
        if right is not None and (found := _load(kept, right)) is not None:
            return found
        source = parse_source(raw, file)
        read = compile_contract(source), dict(source.lines)
        if right is not None:
            # A state that cannot be written to is read all the same, and so is what cannot be kept.
            with suppress(Exception):
                self._keep(kept, right, _pickled(read))
        return read

    def _digest(self, file: Path, raw: bytes) -> bytes | None:
        if self._platform is None:
            return None
        return hashlib.sha256(b"\0".join((self._platform, os.fsencode(file), raw))).digest()

    @cached_property
    def _platform(self) -> bytes | None:
        return platform_digest()

    def _keep(self, kept: Path, right: bytes, made: bytes) -> None:
        if not self._folder.parent.is_dir():
            return
        self._folder.mkdir(exist_ok=True)
        write_whole(kept, right + hashlib.sha256(made).digest() + made)


def _load(kept: Path, right: bytes) -> Read | None:
    """What was kept; None where nothing is, or something else than what the platform keeps."""
    try:
        with kept.open("rb") as opened:
            if opened.read(len(right)) != right:
                return None
            digest, made = opened.read(len(right)), opened.read()
        if hashlib.sha256(made).digest() != digest:
            return None
        read = _Unpickler(io.BytesIO(made)).load()
    except Exception:  # noqa: BLE001 - of whatever the file holds: it is made and kept anew
        return None
    sound = isinstance(read, tuple) and [*map(type, read)] == [Contract, dict]
    return read if sound else None


class _Make:
    """Makes a part of a contract from its type's name and its values, and can do nothing else.

    A pickle that named the types themselves could set attributes of them, in this process. The objects
    of this type have none.
    """

    __slots__ = ()

    def __call__(self, module: str, name: str, values: Any) -> Any:
        made = _part(module, name)
        if type(values) is dict:
            part = object.__new__(made)
            part.__dict__.update(values)
            return part
        return made(values)

    def __reduce__(self) -> str:
        return "MAKE"


@cache
def _part(module: str, name: str) -> Any:
    """The type of a part of contracts by its name; of an enumeration, its values."""
    if module.startswith(_OURS):
        made = vars(importlib.import_module(module))[name]
        if isinstance(made, type) and issubclass(made, Enum):
            return {str(one): one for one in made}.__getitem__
        if isinstance(made, type) and (is_dataclass(made) or issubclass(made, Decimal)):
            return made
    raise pickle.UnpicklingError(f"no part of a contract: {module}.{name}")


class _MakePath:
    """The same for paths."""

    __slots__ = ()

    def __call__(self, path: str) -> Path:
        return Path(path)

    def __reduce__(self) -> str:
        return "MAKE_PATH"


MAKE, MAKE_PATH = _Make(), _MakePath()


class _Pickler(pickle.Pickler):
    def reducer_override(self, part: Any) -> Any:
        kind = type(part)
        if isinstance(part, Path):
            return MAKE_PATH, (str(part),)
        if not kind.__module__.startswith(_OURS) or isinstance(part, type):
            return NotImplemented
        if is_dataclass(part):
            values = {one.name: getattr(part, one.name) for one in fields(part)}
            return MAKE, (kind.__module__, kind.__qualname__, values)
        if isinstance(part, Enum | Decimal):
            return MAKE, (kind.__module__, kind.__qualname__, str(part))
        return NotImplemented


def _pickled(read: Read) -> bytes:
    made = io.BytesIO()
    _Pickler(made).dump(read)
    return made.getvalue()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _VALUES:
            return super().find_class(module, name)
        if module == __name__ and name in ("MAKE", "MAKE_PATH"):
            return globals()[name]
        raise pickle.UnpicklingError(f"no part of a contract: {module}.{name}")


@cache
def platform_digest() -> bytes | None:
    """What compiled contracts depend on beside their text; None while that cannot be told."""
    added = list(_added())
    if any(version is None for *_, version in added):
        return None
    code = code_digest("contracts", "extensions", "findings", "wording", "mesh/kept_contracts")
    readers = [version_of(name) for name in _READERS]
    return hashlib.sha256(json.dumps([sys.version, code, readers, added]).encode()).digest()


def _added() -> Iterator[tuple[str, str, str | None]]:
    """What other distributions add to contracts, with its version; None for one whose code may change
    under its version, since it was installed from a folder."""
    for group in (registry.GROUP, file_formats.GROUP):
        for point in points(group):
            yield point.name, point.value, _released(point.dist)


def _released(distribution: Distribution | None) -> str | None:
    if distribution is None or distribution.read_text("direct_url.json"):
        return None
    return distribution.version
