"""Reading one row by its key, as the reader's agreement shows it.

Belongs here: the grant of a reader, compiled once for a generation; the row
behind it; noting the reading.
Does not belong here: deciding the grant (`access/grants.py`), HTTP (`http/`).

A grant is decided again after `FRESH` seconds, so that one that was taken back ends within them; one that
ends at a moment ends at that moment. Readings are noted in the access log by the spell: who reads of one
version for one purpose has begun to read once, and how many rows he was given is noted at its end.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from shared_resources.access.door import Reader
from shared_resources.access.granted_snapshot import Secrets
from shared_resources.access.granted_sql import needs_key
from shared_resources.access.grants import Grant, NoAgreement, grant_of
from shared_resources.access.log import AccessLog, Reading, log_of, reading_of
from shared_resources.access.masking_key import hmac_keys
from shared_resources.access.one_row.granted import GrantedRow
from shared_resources.contracts.types import ColumnType
from shared_resources.environment import Environment, EnvironmentProblem
from shared_resources.problems import MeshProblem
from shared_resources.serving_ports.port import Found, Generation
from shared_resources.serving_ports.rows import key_of

FRESH = 1.0
SPELL = 10.0
_MOST_GRANTS = 10_000


class NotServed(MeshProblem):
    """The product is not served by its key, or not yet."""


@dataclass(frozen=True)
class Answer:
    """`row` is None where the reader is shown none. `agreement` is empty for who sees the
    product whole."""

    generation: Generation
    row: Mapping[str, Any] | None
    position: int | None = None
    agreement: str = ""


@dataclass(frozen=True)
class Served:
    """A product as a reader is served it: for who describes it."""

    generation: Generation
    columns: Mapping[str, ColumnType]
    refused: str = ""


@dataclass
class _Spell:
    reading: Reading
    began: float
    rows: int = 0


class PointReader:
    """Safe for many threads. Call `close` at the end, and `tick` now and then, for the log."""

    def __init__(self, environment: Environment) -> None:
        port = environment.serving_port
        if port is None:
            raise EnvironmentProblem(
                "nothing is served by its key here: a branch has no serving port; unset MESH_BRANCH"
            )
        self._environment, self.port = environment, port
        self._grants: dict[tuple[str, Reader], tuple[float, Grant | NoAgreement]] = {}
        self._rows: dict[tuple[str, str], GrantedRow] = {}
        self._known: dict[str, Generation] = {}
        self._log = _SpellLog(log_of(environment.home_of_readers, environment.shared_access_log))

    def read(self, product: str, reader: Reader, key: Sequence[str]) -> Answer:
        """The row under the key, whose parts are as `rows.key_of` takes them.

        Raises `NoAgreement`, `NotServed`, `NotAKey`, `PortUnreachable`.
        """
        grant = self._grant(product, reader)
        found = self._found(grant, product, reader, key)
        shown = self._compiled(grant, found.generation)
        row = None if found.row is None else shown.of(json.loads(found.row))
        agreement = grant.agreement.id if grant.agreement else ""
        self._log.note(self._reading(grant, reader, found.generation, shown), row is not None)
        return Answer(found.generation, row, found.position, agreement)

    def served(self, reader: Reader) -> list[Served]:
        """The products that the reader may look at."""
        found = []
        for product in self.port.products():
            held = self.port.current(product)
            if held is None:
                continue
            try:
                grant = self._grant(product, reader)
                shown = self._compiled(grant, held.generation)
            except NoAgreement:
                continue
            types = held.generation.types
            columns = {name: types[name] for name in shown.columns}
            found.append(Served(held.generation, columns, _key_is_hidden(grant, held.generation)))
        return found

    def tick(self) -> None:
        self._log.end_older_than(SPELL)

    def close(self) -> None:
        self._log.end_older_than(0)

    def _found(self, grant: Grant, product: str, reader: Reader, key: Sequence[str]) -> Found:
        """What a key is does not change from one generation to the next, but with the contract."""
        generation = self._known.get(product)
        if generation is None:
            held = self.port.current(product)
            if held is None:
                raise _not_served(product)
            generation = held.generation
        while True:
            if reason := _key_is_hidden(grant, generation):
                raise NoAgreement(
                    f"{reader.principal} may not look for rows of {product}: {reason}"
                )
            found = self.port.get(product, key_of(key, generation))
            if found is None:
                self._known.pop(product, None)
                raise _not_served(product)
            before, generation = generation, found.generation
            self._known[product] = generation
            if (before.key, before.columns) == (generation.key, generation.columns):
                return found

    def _grant(self, product: str, reader: Reader) -> Grant:
        known = self._grants.get((product, reader))
        now = time.monotonic()
        if known is None or known[0] < now:
            decided: Grant | NoAgreement
            try:
                decided = grant_of(self._environment, product, reader.principal, reader.purpose)
            except NoAgreement as refused:
                decided = refused
            if len(self._grants) >= _MOST_GRANTS:
                self._grants.clear()
            known = self._grants[product, reader] = (now + FRESH, decided)
        grant = known[1]
        if isinstance(grant, NoAgreement):
            raise NoAgreement(str(grant))
        if grant.agreement is not None and not grant.agreement.in_force(datetime.now(UTC)):
            del self._grants[product, reader]
            return self._grant(product, reader)
        return grant

    def _compiled(self, grant: Grant, generation: Generation) -> GrantedRow:
        name = (generation.id, grant.said)
        shown = self._rows.get(name)
        if shown is None:
            terms = grant.terms
            wants = terms is not None and needs_key(terms)
            secret = Secrets(*hmac_keys(self._environment)) if wants else Secrets()
            shown = GrantedRow(
                terms, generation.types, generation.shown, generation.as_version, secret
            )
            if len(self._rows) >= _MOST_GRANTS:
                self._rows.clear()
            self._rows[name] = shown
        return shown

    @staticmethod
    def _reading(
        grant: Grant, reader: Reader, generation: Generation, shown: GrantedRow
    ) -> Reading:
        agreement = grant.agreement
        return reading_of(
            reader.principal,
            generation.product,
            generation.version,
            generation.store,
            None if grant.whole else shown.columns,
            purpose=agreement.purpose if agreement else reader.purpose or "",
            agreement=agreement.id if agreement else "",
            by=reader.by,
        )


def _key_is_hidden(grant: Grant, generation: Generation) -> str:
    """Why the reader may not look by the key. Whoever asks for a key has it confirmed that it is there,
    and is told what belongs to it: that is what hiding the key is to keep from him."""
    if grant.terms is None:
        return ""
    behind = [name for name in generation.key if name in grant.terms.masks]
    unseen = [name for name in generation.key if name not in grant.terms.columns]
    if not behind and not unseen:
        return ""
    how = f"shows {', '.join(behind)} masked" if behind else f"does not show {', '.join(unseen)}"
    return (
        f"its agreement {how}, which is its key; use `mesh read`, or ask for a role that shows it"
    )


def _not_served(product: str) -> NotServed:
    return NotServed(
        f"{product} is not served by its key: its contract has no server `serving`, or no version "
        "of it is served yet"
    )


class _SpellLog:
    """The access log, by the spell: the first row of one is noted before it is handed out."""

    def __init__(self, log: AccessLog) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._open: dict[Reading, _Spell] = {}

    def note(self, reading: Reading, row: bool) -> None:
        same = replace(reading, at=datetime.min)
        now = time.monotonic()
        with self._lock:
            spell = self._open.get(same)
            if spell is not None and now - spell.began < SPELL:
                spell.rows += row
                return
            if spell is not None:
                del self._open[same]
        if spell is not None:
            self._log.end(spell.reading, spell.rows)
        begun = _Spell(self._log.begin(reading), now, int(row))
        with self._lock:
            other = self._open.get(same)
            if other is None:
                self._open[same] = begun
                return
        self._log.end(begun.reading, begun.rows)  # another thread has begun one meanwhile

    def end_older_than(self, seconds: float) -> None:
        until = time.monotonic() - seconds
        with self._lock:
            over = [(same, spell) for same, spell in self._open.items() if spell.began <= until]
            for same, _ in over:
                del self._open[same]
        for _, spell in over:
            self._log.end(spell.reading, spell.rows)
