"""A contract's row rules over frames of messages: which are kept, and what the others break.

Belongs here: asking all conditions of a frame in one pass, the names of what each rejected row breaks.
Does not belong here: where a rule is decided (`places.py`), its condition (`contracts/rules/`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan

import polars as pl

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.expressions import asked, polars_type
from shared_resources.contracts.rules.registry import kind_of
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
        self._conditions = {
            p.rule.name: p.broken.fill_null(False).alias(p.rule.name)
            for p in self.placed
            if p.broken is not None
        }
        self._unbroken = {
            p.rule.name: partial(kind_of(p.rule).unbroken, p.rule, contract)
            for p in self.placed
            if p.broken is not None
        }
        self._rejecting = [p.rule.name for p in self.placed if p.place is Place.MESSAGE]
        self._floats = [c.name for c in contract.columns if c.type.family is Family.FLOAT]

    def judge(self, frame: pl.DataFrame) -> Judged:
        """Ask every row rule of the frame, whose columns are the contract's, of their types.

        Raises `ValueError` for another frame.
        """
        if frame.schema != self.schema:
            raise ValueError(f"the frame is of {frame.schema}, and the contract's is {self.schema}")
        failed, masks = dict.fromkeys(self._conditions, 0), pl.DataFrame()
        clean = self._clean(frame)
        asking = [name for name, unbroken in self._unbroken.items() if not unbroken(clean)]
        if asking and frame.height:
            masks = asked(clean, [self._conditions[name] for name in asking])
            # Each column by itself: polars' way over a whole frame costs more than a small frame does.
            failed |= {mask.name: int(mask.sum()) for mask in masks.get_columns()}
        blamed = [name for name in self._rejecting if failed[name]]
        if not blamed:
            none = pl.Series("rejected", [False]).new_from_index(0, frame.height)
            return Judged(none, pl.Series("reasons", [], pl.List(pl.String)), failed)
        rejected = masks.select(pl.any_horizontal(blamed).alias("rejected")).to_series()
        names = [pl.when(pl.col(name)).then(pl.lit(name)) for name in blamed]
        listed = pl.concat_list(names).list.drop_nulls().alias("reasons")
        reasons = masks.filter(rejected).select(listed).to_series()
        return Judged(rejected, reasons, failed)

    def _clean(self, frame: pl.DataFrame) -> pl.DataFrame:
        """NaN is null for every rule. A sum that is a number proves that there is none."""
        unsure = [name for name in self._floats if isnan(frame.get_column(name).sum())]
        return frame.with_columns(pl.col(unsure).fill_nan(None)) if unsure else frame
