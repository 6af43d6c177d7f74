"""Reading one row by its key, as the reader's agreement shows it.

Belongs here: the grant of a reader, compiled once for a generation; the row behind it.
Does not belong here: when a grant is decided (`kept_grants.py`), the log (`spells.py`), HTTP (`http/`).

`read_now` answers from what is at hand: no file is read for it and no disk waited for but the port's own.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared_resources.access.door import Reader
from shared_resources.access.granted_snapshot import Secrets
from shared_resources.access.granted_sql import needs_key
from shared_resources.access.grants import Grant, NoAgreement
from shared_resources.access.log import Reading, log_of, reading_of
from shared_resources.access.masking_key import hmac_keys
from shared_resources.access.one_row.granted import GrantedRow
from shared_resources.contracts.types import ColumnType
from shared_resources.environment import Environment, EnvironmentProblem
from shared_resources.problems import MeshProblem
from shared_resources.serving_ports.kept_grants import KeptGrants
from shared_resources.serving_ports.live_position import LivePosition
from shared_resources.serving_ports.port import Found, Generation
from shared_resources.serving_ports.rows import key_of
from shared_resources.serving_ports.spells import SPELL, SpellLog

_MOST_COMPILED = 10_000


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
    follows: LivePosition | None = None


@dataclass(frozen=True)
class Served:
    """A product as a reader is served it: for who describes it."""

    generation: Generation
    columns: Mapping[str, ColumnType]
    refused: str = ""


class PointReader:
    """Safe for many threads. Call `tick` now and then, and `close` at the end."""

    def __init__(self, environment: Environment) -> None:
        port = environment.serving_port
        if port is None:
            raise EnvironmentProblem(
                "nothing is served by its key here: a branch has no serving port; unset MESH_BRANCH"
            )
        self._environment, self.port = environment, port
        self._grants = KeptGrants(environment)
        self._rows: dict[tuple[str, str], GrantedRow] = {}
        self._known: dict[str, Generation] = {}
        self._spells = SpellLog(log_of(environment.home_of_readers, environment.shared_access_log))

    def read(self, product: str, reader: Reader, key: Sequence[str]) -> Answer:
        """The row under the key, whose parts are as `rows.key_of` takes them.

        Raises `NoAgreement`, `NotServed`, `NotAKey`, `PortUnreachable`.
        """
        grant = self._grants.of(product, reader)
        found = self._found(grant, product, reader, key)
        shown = self._compiled(grant, found.generation)
        answer = _answer(grant, found, shown)
        self._spells.note(
            _spell(reader, grant, found.generation),
            self._reading(grant, reader, found.generation, shown),
            int(answer.row is not None),
        )
        return answer

    def read_now(self, product: str, reader: Reader, key: Sequence[str]) -> Answer | None:
        """The same; None where something is to be decided, compiled or noted first, so that an event
        loop does not wait for it. `read` does."""
        grant = self._grants.at_hand(product, reader)
        if grant is None:
            return None
        found = self._found(grant, product, reader, key)
        shown = self._rows.get((found.generation.id, grant.said))
        if shown is None:
            return None
        answer = _answer(grant, found, shown)
        spell = _spell(reader, grant, found.generation)
        return answer if self._spells.counted(spell, int(answer.row is not None)) else None

    def served(self, reader: Reader) -> list[Served]:
        """The products that the reader may look at."""
        found = []
        for product in self.port.products():
            held = self.port.current(product)
            if held is None:
                continue
            try:
                grant = self._grants.of(product, reader)
                shown = self._compiled(grant, held.generation)
            except NoAgreement:
                continue
            types = held.generation.types
            columns = {name: types[name] for name in shown.columns}
            found.append(Served(held.generation, columns, _key_is_hidden(grant, held.generation)))
        return found

    def tick(self) -> None:
        """To be called some times in each `FRESH` seconds: who reads all the time is not held up."""
        self._grants.renew()
        self._spells.end_older_than(SPELL)

    def close(self) -> None:
        self._spells.end_older_than(0)

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
            if len(self._rows) >= _MOST_COMPILED:
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


def _answer(grant: Grant, found: Found, shown: GrantedRow) -> Answer:
    row = None if found.row is None else shown.of(json.loads(found.row))
    agreement = grant.agreement.id if grant.agreement else ""
    follows = LivePosition.of(found.note) if found.note else None
    return Answer(found.generation, row, found.position, agreement, follows)


def _spell(reader: Reader, grant: Grant, generation: Generation) -> Hashable:
    return reader, generation.id, grant.said


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
