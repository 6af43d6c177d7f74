"""The door for messages: what a product is shown of another one's stream, before that is published.

Belongs here: which messages keep their contract, and of these the columns, masks and rows that the
reader's agreement grants.
Does not belong here: deciding the grant (`access/`), the contract's verdict (`streams/row_rules/`).

It is what the door shows of the published rows: the same grant, decided again each second, and the same
statement where a mask or a condition is in it. Readings are noted in the access log by the spell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import duckdb
import polars as pl
import pyarrow as pa

from shared_resources.access.door import Reader
from shared_resources.access.granted_snapshot import GrantedSnapshot, Secrets
from shared_resources.access.granted_sql import needs_key
from shared_resources.access.grants import Grant
from shared_resources.access.log import log_of, reading_of
from shared_resources.access.masking_key import hmac_keys
from shared_resources.contracts.model import Contract
from shared_resources.contracts.streams.model import Stream
from shared_resources.contracts.types import arrow_schema
from shared_resources.environment import Environment
from shared_resources.governance.catalogue import data_time_rules
from shared_resources.mesh.read import read_central, read_product
from shared_resources.problems import MeshProblem
from shared_resources.serving_ports.kept_grants import KeptGrants
from shared_resources.serving_ports.spells import SPELL, SpellLog
from shared_resources.stores.protocol import Snapshot, Version
from shared_resources.streams.row_rules.messages import MessageRules


class NoStream(MeshProblem):
    """What rows are to follow is made of no topic."""

    exit_code = 2


@dataclass(frozen=True)
class Shown:
    """Rows of messages as they are granted, and how many messages broke the contract. `by` is
    `Grant.said` of what they were granted by."""

    frame: pl.DataFrame
    broken: int
    by: str


def stream_followed(environment: Environment, key: str) -> tuple[Contract, Stream]:
    """The contract of the product of whose messages rows are to follow. Raises `NoStream`."""
    folder = read_product(environment, key, anew=False)
    if folder is None or folder.contract is None or folder.contract.stream is None:
        raise NoStream(
            f"{key} is made of no topic here: rows follow a product whose contract has `stream`; name "
            "one in @live(of=…)"
        )
    return folder.contract, folder.contract.stream


class GrantedMessages:
    """What `reader` is shown of messages of the product `key`. Raises `NoStream`, `NoAgreement`."""

    def __init__(self, environment: Environment, key: str, reader: Reader) -> None:
        self._environment, self._key, self._reader = environment, key, reader
        self._grants = KeptGrants(environment)
        self._log = SpellLog(log_of(environment.home_of_readers, environment.shared_access_log))
        self._hold_to(stream_followed(environment, key)[0])
        self._grant()  # who has no agreement is told before anything is read

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that are granted, in the contract's order. Raises `NoAgreement`."""
        return self._columns_of(self._grant())

    @property
    def by(self) -> str:
        """`Grant.said` of what is granted now. Raises `NoAgreement`."""
        return self._grant().said

    def is_as_before(self, by: str) -> bool:
        """Whether contract and grant are still those by which something was shown. Raises
        `NoAgreement`."""
        contract = self._contract_now()
        return contract is not None and contract.digest == self.contract.digest and self.by == by

    def renew(self) -> bool:
        """Hold messages to the contract of this moment; whether there is one: files that are being put in
        place have none for a moment, which ends no process."""
        contract = self._contract_now()
        if contract is not None and contract.digest != self.contract.digest:
            self._hold_to(contract)
        return contract is not None

    def _contract_now(self) -> Contract | None:
        try:
            return stream_followed(self._environment, self._key)[0]
        except NoStream:
            return None

    def _hold_to(self, contract: Contract) -> None:
        assert contract.stream is not None
        self.contract, self.topic = contract, contract.stream.topic
        central = data_time_rules(contract, (), read_central(self._environment))
        self._rules = MessageRules(contract, (*contract.rules, *central))
        self._columns = tuple((c.name, c.type) for c in contract.columns)

    def _columns_of(self, grant: Grant) -> tuple[str, ...]:
        names = [name for name, _ in self._columns]
        return tuple(one for one in names if grant.terms is None or one in grant.terms.columns)

    def of(self, messages: pa.Table) -> Shown:
        """Of messages in `log.port.message_schema()`. Raises `NoAgreement` when it was taken back."""
        grant = self._grant()
        columns = self._columns_of(grant)
        judged = self._rules.judge(messages)
        frame = self._shown(judged.frame, grant, columns)
        self._note(grant, columns, frame.height)
        return Shown(frame, len(judged.broken), grant.said)

    def close(self) -> None:
        self._log.end_older_than(0)

    def _grant(self) -> Grant:
        return self._grants.of(self.contract.key, self._reader)

    def _shown(self, frame: pl.DataFrame, grant: Grant, columns: tuple[str, ...]) -> pl.DataFrame:
        terms = grant.terms
        if terms is None or not (terms.masks or terms.rows):
            return frame[list(columns)]
        table = frame.to_arrow().cast(arrow_schema(self._columns))
        version = Version(self.contract.key, "log", 0, "", table.num_rows, datetime.now(UTC))
        keys = hmac_keys(self._environment) if needs_key(terms) else (b"", b"")
        snapshot = cast(Snapshot, _Messages(table, version))
        shown = GrantedSnapshot(snapshot, grant, Secrets(*keys), _noted_elsewhere)
        found = pl.from_arrow(shown.batches(columns).read_all())
        assert isinstance(found, pl.DataFrame)
        return found

    def _note(self, grant: Grant, columns: tuple[str, ...], rows: int) -> None:
        agreement, reader = grant.agreement, self._reader
        reading = reading_of(
            reader.principal,
            self.contract.key,
            0,
            "log",
            None if grant.whole else columns,
            purpose=agreement.purpose if agreement else reader.purpose or "",
            agreement=agreement.id if agreement else "",
            by=reader.by,
        )
        self._log.note(grant.said, reading, rows)
        self._log.end_older_than(SPELL)


class _Messages:
    """As much of a `protocol.Snapshot` as a grant looks at, over rows that are in memory."""

    def __init__(self, table: pa.Table, version: Version) -> None:
        self._table, self.version = table, version
        self.schema = table.schema

    def register(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        columns: Sequence[str] | None = None,
        partitions: Any = None,
    ) -> None:
        connection.register(name, self._table.select(list(columns or self.schema.names)))


def _noted_elsewhere(columns: Sequence[str]) -> Callable[[int], None]:
    return lambda rows: None
