"""Whatever happens between two runs: `mesh run` leaves what making everything again would leave.

Hypothesis chooses what lands, is refused, corrected, rolled back, and whose contract or code changes.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.guarantees.orders import KEY, land_orders, orders_table
from tests.nightly import NIGHTLY
from tests.running.whole_runs import (
    LINES,
    PER_DAY,
    REPORT,
    SUMS,
    contents,
    extract,
    lines,
    mesh_run,
    per_day,
    report,
    rolled_back,
    sums,
    unchanged,
)
from tests.tiny_mesh import TinyMesh, tiny_mesh

DAYS = ("2024-01-01", "2024-01-02", "2024-01-03")
WRITTEN = {KEY: extract, LINES: lines, SUMS: sums, PER_DAY: per_day, REPORT: report}
FUNCTIONS = {SUMS: sums, PER_DAY: per_day, REPORT: report}
# A rollback of an ingest of days is a decision that stands: what it took back was ingested.
ROLLED_BACK = (KEY, SUMS, PER_DAY, REPORT)
amounts = st.lists(st.integers(1, 9).map(float), min_size=1, max_size=2)


class Anything(RuleBasedStateMachine):
    """Five products: a full extract, an ingest of days, what is made of each, and of both."""

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        folder = self.open.enter_context(tempfile.TemporaryDirectory())
        self.mesh: TinyMesh = self.open.enter_context(tiny_mesh(Path(folder)))
        self.factors = dict.fromkeys(FUNCTIONS, 1)
        self.remarks = dict.fromkeys(WRITTEN, 0)
        self.orders: list[float | None] = [1.0]
        for key in WRITTEN:
            self.write(key)
        land_orders(self.mesh, self.orders)
        self.land_day(DAYS[0], [1.0])
        assert unchanged(mesh_run(self.mesh)) == set()

    def teardown(self) -> None:
        try:
            self.run()
        finally:
            self.open.close()

    def write(self, key: str) -> None:
        more = "# again\n" * self.remarks[key]
        if key in FUNCTIONS:
            FUNCTIONS[key](self.mesh, self.factors[key], more)
        else:
            WRITTEN[key](self.mesh, more=more)

    def land_day(self, day: str, values: list[float]) -> None:
        days = pa.array([date.fromisoformat(day)] * len(values), pa.date32())
        table = orders_table(list(values)).append_column("day", days)
        self.mesh.land(f"{LINES}/{day}.parquet", table)

    @rule()
    def land_the_same(self) -> None:
        land_orders(self.mesh, self.orders)

    @rule(values=amounts)
    def land_another(self, values: list[float]) -> None:
        self.orders = list(values)
        land_orders(self.mesh, self.orders)

    @rule()
    def land_what_is_refused(self) -> None:
        self.orders = [-1.0]
        land_orders(self.mesh, self.orders)

    @rule(day=st.sampled_from(DAYS), values=amounts, bad=st.booleans())
    def correct_a_day(self, day: str, values: list[float], bad: bool) -> None:
        self.land_day(day, [-1.0] if bad else values)

    @rule(key=st.sampled_from(sorted(WRITTEN)))
    def change_a_contract(self, key: str) -> None:
        self.remarks[key] += 1
        self.write(key)

    @rule(key=st.sampled_from(sorted(FUNCTIONS)), factor=st.sampled_from((1, 2, 3, -1)))
    def change_code(self, key: str, factor: int) -> None:
        """A negative factor makes what the contract refuses."""
        self.factors[key] = factor
        self.write(key)

    @rule(key=st.sampled_from(ROLLED_BACK), which=st.integers(0, 9))
    def roll_back(self, key: str, which: int) -> None:
        versions = self.mesh.versions(key)
        if versions:
            rolled_back(self.mesh, key, versions[which % len(versions)].number)

    @rule(only=st.sampled_from(sorted(WRITTEN)))
    def run_one(self, only: str) -> None:
        mesh_run(self.mesh, only)

    @rule()
    def run(self) -> None:
        became = mesh_run(self.mesh)
        once: dict[str, Any] = contents(self.mesh)
        ill = {key for key, what in became.items() if what is False or what == "held"}
        second = mesh_run(self.mesh)
        # What was refused is tried again, and what waits for it still does.
        assert set(second) - unchanged(second) <= ill, (became, second)
        assert contents(self.mesh) == once
        mesh_run(self.mesh, again=True)
        assert contents(self.mesh) == once, became


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not NIGHTLY, reason="takes a quarter of an hour; MESH_NIGHTLY=1 runs it")
def test_any_sequence() -> None:
    run_state_machine_as_test(
        Anything,
        settings=settings(
            max_examples=4,
            stateful_step_count=7,
            deadline=None,
            database=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
