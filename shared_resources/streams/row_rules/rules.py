"""A contract's row rules over frames of messages: which are kept, and what the others break.

Belongs here: asking all conditions of a frame in one pass, the names of what each rejected row breaks.
Does not belong here: where a rule is decided (`places.py`), its condition (`contracts/rules/`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.expressions import polars_type
from shared_resources.contracts.types import Family
from shared_resources.streams.row_rules.places import Place, Placed, place_rules


@dataclass(frozen=True)
class Judged:
    """What the row rules say of the rows of one frame.

    `rejected` tells of each row whether it broke a rule that rejects; `reasons` holds, of each such row
    in their order, the names of those rules in the contract's order, as the audit's quarantine does.
    `failed` counts the rows that break each rule, those included whose threshold a window decides.
    """

    rejected: pl.Series
    reasons: pl.Series
    failed: Mapping[str, int]

    def kept(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame if not len(self.reasons) else frame.filter(~self.rejected)

    def lost(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rejected rows, in the order of `reasons`."""
        return frame.filter(self.rejected)


class RowRules:
    """The rules of a contract that single rows decide, compiled once for many frames.

    `placed` names every rule, those too that are decided elsewhere, with the reason.
    """

    def __init__(self, contract: Contract, rules: Sequence[Rule] | None = None) -> None:
        self.placed: tuple[Placed, ...] = place_rules(contract, rules)
        self.schema = pl.Schema({c.name: polars_type(c.type) for c in contract.columns})
        self._conditions = [
            p.broken.fill_null(False).alias(p.rule.name)
            for p in self.placed
            if p.broken is not None
        ]
        self._rejecting = [p.rule.name for p in self.placed if p.place is Place.MESSAGE]
        floats = [c.name for c in contract.columns if c.type.family is Family.FLOAT]
        self._without_nan = [pl.col(name).fill_nan(None) for name in floats]

    def judge(self, frame: pl.DataFrame) -> Judged:
        """Ask every row rule of the frame, whose columns are the contract's, of their types.

        Raises `ValueError` for another frame.
        """
        if frame.schema != self.schema:
            raise ValueError(f"the frame is of {frame.schema}, and the contract's is {self.schema}")
        nothing = pl.Series("reasons", [], pl.List(pl.String))
        none = pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True).alias("rejected")
        if not self._conditions or not frame.height:
            return Judged(none, nothing, {c.meta.output_name(): 0 for c in self._conditions})
        clean = frame.with_columns(self._without_nan) if self._without_nan else frame
        masks = clean.select(self._conditions)
        failed = masks.sum().row(0, named=True)
        blamed = [name for name in self._rejecting if failed[name]]
        if not blamed:
            return Judged(none, nothing, failed)
        rejected = masks.select(pl.any_horizontal(blamed).alias("rejected")).to_series()
        names = [pl.when(pl.col(name)).then(pl.lit(name)) for name in blamed]
        listed = pl.concat_list(names).list.drop_nulls().alias("reasons")
        reasons = masks.filter(rejected).select(listed).to_series()
        return Judged(rejected, reasons, failed)
