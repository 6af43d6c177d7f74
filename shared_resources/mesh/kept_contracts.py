"""Contracts as they were compiled before: of a thousand, one has changed since.

Belongs here: keeping compiled contracts below the mesh's state, and when a kept one is still right.
Does not belong here: compiling (`contracts/odcs.py`), or who may do with a kept one.

Compiling takes fifteen times as long as reading what was kept. A kept contract is right as long as
its file has the same bytes and the platform is the same. It is for looking at: a location reads the
contracts of its own domain anew, and so does whatever audits, publishes or judges, so that no file
below the state decides what a batch is checked against.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache, cached_property
from importlib.metadata import Distribution, entry_points
from pathlib import Path
from typing import Any

from shared_resources import contracts, extensions, findings
from shared_resources.contracts import file_formats
from shared_resources.contracts.model import Contract
from shared_resources.contracts.odcs import compile_contract
from shared_resources.contracts.rules import registry
from shared_resources.contracts.source import MAX_BYTES, parse_source, read_source

Read = tuple[Contract, Mapping[str, int]]

# What a contract is made of, and nothing that does anything when it is made.
_MADE_OF = {("pathlib", "PosixPath"), ("decimal", "Decimal")} | {
    ("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")
}
_OURS = f"{contracts.__name__}."


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
            made = pickle.dumps(read)
            self._keep(kept, right + hashlib.sha256(made).digest() + made)
        return read

    def _digest(self, file: Path, raw: bytes) -> bytes | None:
        if self._platform is None:
            return None
        return hashlib.sha256(b"\0".join((self._platform, os.fsencode(file), raw))).digest()

    @cached_property
    def _platform(self) -> bytes | None:
        return platform_digest()

    def _keep(self, kept: Path, content: bytes) -> None:
        """Best effort: a state that cannot be written to is read all the same."""
        if not self._folder.parent.is_dir():
            return
        with suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder)
            try:
                with os.fdopen(handle, "wb") as made:
                    made.write(content)
                Path(name).replace(kept)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise


def _load(kept: Path, right: bytes) -> Read | None:
    try:
        with kept.open("rb") as opened:
            if opened.read(len(right)) != right:
                return None
            digest, made = opened.read(len(right)), opened.read()
    except OSError:
        return None
    if hashlib.sha256(made).digest() != digest:
        return None  # damaged: it is made and kept anew
    try:
        read: Read = _Unpickler(io.BytesIO(made)).load()
    except pickle.UnpicklingError:
        return None
    return read


class _Unpickler(pickle.Unpickler):
    """Makes what a contract is made of; a file that somebody put there runs nothing."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _MADE_OF:
            return super().find_class(module, name)
        if module.startswith(_OURS):
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"no part of a contract: {module}.{name}")


@cache
def platform_digest() -> bytes | None:
    """What compiled contracts depend on beside their text; None while that cannot be told."""
    added = list(_added())
    if any(version is None for *_, version in added):
        return None
    files = [Path(module.__file__ or "") for module in (extensions, findings)]
    files += sorted(Path(contracts.__path__[0]).rglob("*.py"))
    looks = [
        (str(file), found.st_mtime_ns, found.st_size) for file in files for found in (file.stat(),)
    ]
    return hashlib.sha256(json.dumps([sys.version, added, looks]).encode()).digest()


def _added() -> Iterator[tuple[str, str, str | None]]:
    """What other distributions add to contracts, with its version; None for one that is worked on."""
    for group in (registry.GROUP, file_formats.GROUP):
        for point in sorted(entry_points(group=group), key=lambda one: one.name):
            yield point.name, point.value, _version(point.dist)


def _version(distribution: Distribution | None) -> str | None:
    if distribution is None:
        return None
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    editable = origin.get("dir_info", {}).get("editable", False)
    return None if editable else distribution.version
