"""A grant, compiled once for the rows of one version, applied to one row at a time.

Belongs here: which of a row's columns are shown, behind which masks, and whether the row is at all.
Does not belong here: deciding the grant (`access/grants.py`), finding the row (`serving_ports/`).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from shared_resources.access.granted_snapshot import Secrets
from shared_resources.access.granted_sql import fitting
from shared_resources.access.grants import NoAgreement
from shared_resources.access.one_row.conditions import Holds, compiled
from shared_resources.access.one_row.masks import value_mask
from shared_resources.access.one_row.values import Convert, decoder, encoder
from shared_resources.access.terms import Terms
from shared_resources.contracts.types import ColumnType
from shared_resources.stores.protocol import Version


class GrantedRow:
    """What `terms` show of a row whose columns are of `types`, in their order; None shows it whole.

    `shown` are the columns that the version serves at all. Raises `NoAgreement` for terms that do not fit
    the version, as the door does.
    """

    def __init__(
        self,
        terms: Terms | None,
        types: Mapping[str, ColumnType],
        shown: Sequence[str],
        version: Version,
        secret: Secrets,
    ) -> None:
        self._places = {name: place for place, name in enumerate(types)}
        self._decoders = {name: decoder(type_) for name, type_ in types.items()}
        self._rows: tuple[Holds, ...] = ()
        self._masks: list[tuple[str, Any, Convert | None]] = []
        if terms is None:
            self.columns = tuple(shown)
        else:
            terms = fitting(terms, dict(types), version)
            self.columns = tuple(name for name in terms.columns if name in shown)
            if not self.columns:
                raise NoAgreement(
                    f"{version.product} version {version.number} serves none of the columns that are "
                    "granted; read it with `mesh read`"
                )
            self._rows = tuple(compiled(row.condition, row.types) for row in terms.rows)
            self._masks = [
                (
                    name,
                    value_mask(mask, types[name], secret.inner, secret.outer),
                    encoder(types[name]),
                )
                for name, mask in terms.masks.items()
                if name in self.columns
            ]
        self.masked = frozenset(name for name, _, _ in self._masks)
        self._plain = [(name, self._places[name]) for name in self.columns]

    def of(self, row: Sequence[Any]) -> dict[str, Any] | None:
        """The row as it is shown; None where it is not. Its values are as they are written
        (`values.py`), before and after."""
        if self._rows and not self._let_through(row):
            return None
        found = {name: row[place] for name, place in self._plain}
        if self._masks:
            salt = secrets.token_bytes(32)
            for name, mask, encode in self._masks:
                if found[name] is not None:
                    found[name] = _written(mask(salt)(self._value(row, name)), encode)
        return found

    def _let_through(self, row: Sequence[Any]) -> bool:
        return any(holds(lambda name: self._value(row, name)) is True for holds in self._rows)

    def _value(self, row: Sequence[Any], name: str) -> Any:
        value, decode = row[self._places[name]], self._decoders[name]
        return value if value is None or decode is None else decode(value)


def _written(value: Any, encode: Convert | None) -> Any:
    return value if value is None or encode is None else encode(value)
