"""Promise: whatever the network does, readers see whole, audited versions, and a retry succeeds.

Over the whole example mesh in production mode, on a sample of its data: hundreds of faults at random
requests of S3, Glue and Snowflake. The seed is printed; `MESH_FAULTS_SEED` repeats it.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.impatience import impatient_clients
from tests.faults.kinds import Kind
from tests.faults.plans import AtRandom, NoFaults
from tests.faults.proxy import Proxy, running_proxy
from tests.faults.sample import land_sample, promotions, send_receipts
from tests.faults.whole_mesh import Content, WholeMesh
from tests.nightly import times
from tests.stand_ins import StandIns
from tests.stand_ins.servers import environment

FAULTS = times(usually=40, nightly=300)
MOST_RUNS = 20
BUILT_BY_DBT = {"customer/customer_360", "marketing/campaign_performance", "order/daily_sales"}
REFUSED = "marketing/promotions"
PROBABILITY = 0.1
OUTAGES = 0.03  # of the faults: each ends the product that meets it
# `mesh run` tries again for longer than an outage lasts here, so it has none; what nobody tries
# again would hold most of the mesh before it met any fault.
KINDS_OF_MESH_RUN = tuple(k for k in Kind if k not in (Kind.EXPIRED, Kind.FLIPPED_UPLOAD))


@dataclass
class Meshes:
    """Two production environments over the same landing zone: one without faults, one with."""

    proxy: Proxy
    scratch: Path
    untouched: dict[str, str]
    troubled: dict[str, str]
    whole: dict[tuple[str, str], set[Content]] = field(default_factory=dict)

    def mesh_run(self, variables: dict[str, str], *selection: str) -> dict[str, str]:
        """`mesh run` as people start it; what became of each product."""
        command = [Path(sys.executable).with_name("mesh"), "run", "--json", *selection]
        ended = subprocess.run(
            command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=600
        )
        assert ended.returncode in (0, 1), ended.stderr[-3000:]
        products = json.loads(ended.stdout)["products"]
        return {key: one.get("message") or one["state"] for key, one in products.items()}

    def note_contents(self) -> None:
        """What the versions without faults hold: nothing else may ever be readable."""
        with environment(self.untouched):
            for key, store, _, content in WholeMesh.here().seen():
                self.whole.setdefault((key, store.name), set()).add(content)

    def check(self) -> int:
        """Every version of every product in every store, read on another machine; how many."""
        seen = 0
        with environment(self.troubled | {"MESH_HOME": str(self.scratch / "reader")}):
            for key, store, version, content in WholeMesh.here().seen():
                assert content in self.whole[key, store.name], (
                    f"{key} {version.number} in {store.name}"
                )
                assert content[0] == version.rows
                seen += 1
        return seen


@pytest.fixture
def meshes(stand_ins: StandIns, tmp_path: Path) -> Iterator[Meshes]:
    with running_proxy(stand_ins) as proxy:
        untouched = {**stand_ins.fresh(), "MESH_HOME": str(tmp_path / "untouched")}
        troubled = {
            **stand_ins.fresh(),
            **proxy.endpoints,
            "MESH_HOME": str(tmp_path / "troubled"),
            "MESH_LANDING": untouched["MESH_LANDING"],
        }
        yield Meshes(proxy, tmp_path, untouched, troubled)


@pytest.mark.slow
@pytest.mark.begins_early
@pytest.mark.timeout(2400)
def test_faults_over_the_whole_mesh(meshes: Meshes) -> None:
    seed = int(os.environ.get("MESH_FAULTS_SEED") or time.time_ns() % 1_000_000)
    print(f"MESH_FAULTS_SEED={seed}")
    chance, proxy = random.Random(seed), meshes.proxy

    with environment(meshes.untouched):
        zone = WholeMesh.here().environment.landing_zone
        land_sample(zone, meshes.scratch)
    for variables in (meshes.untouched, meshes.troubled):  # each keeps a log of its own
        with environment(variables):
            send_receipts(1000)
    with environment(meshes.untouched):
        _expect_all_published(meshes.mesh_run(meshes.untouched))
        meshes.note_contents()

    plan = AtRandom(chance.randrange(1 << 30), PROBABILITY, KINDS_OF_MESH_RUN, outages=0)
    with proxy.following(plan):
        print(f"mesh run: {meshes.mesh_run(meshes.troubled)}, {len(proxy.injected)} faults")
    meshes.check()

    with environment(meshes.untouched):
        promotions(zone, meshes.scratch, 1, rows=155_000, bad=25)
    runs = 0
    while len(proxy.injected) < FAULTS:
        assert (runs := runs + 1) <= MOST_RUNS, f"only {len(proxy.injected)} faults"
        _run_under_faults(meshes, AtRandom(chance.randrange(1 << 30), PROBABILITY, outages=OUTAGES))
        assert meshes.check() > 0
    print(f"{len(proxy.injected)} faults: {Counter(one.kind.name for one in proxy.injected)}")
    print(Counter(one.operation for one in proxy.injected))

    with environment(meshes.untouched):
        promotions(zone, meshes.scratch, 2, rows=150_500)
    _expect_all_published(meshes.mesh_run(meshes.untouched, REFUSED))
    meshes.note_contents()
    proxy.end_sessions()
    proxy.plan = NoFaults()
    _expect_all_published(meshes.mesh_run(meshes.troubled, "--again"))
    meshes.check()
    with environment(meshes.troubled):
        mesh = WholeMesh.here()
        mesh.clean_up()
        assert mesh.left_over() == set(), "the clean-up leaves staged files"
    meshes.check()


def _run_under_faults(meshes: Meshes, plan: AtRandom) -> None:
    """All but what dbt builds, which takes as long as the rest together: `mesh run` had it."""
    before = len(meshes.proxy.injected)
    with environment(meshes.troubled), impatient_clients(), meshes.proxy.following(plan):
        outcomes = WholeMesh.here().run(leaving_out=BUILT_BY_DBT, holding=False)
    assert outcomes[REFUSED] != "published", "an extract that breaks a blocking rule was published"
    published = sum(outcome == "published" for outcome in outcomes.values())
    print(f"{published} published under {len(meshes.proxy.injected) - before} faults: {outcomes}")


def _expect_all_published(outcomes: dict[str, str]) -> None:
    failed = {key: said for key, said in outcomes.items() if said != "published"}
    # Days that the sample leaves out stand as holes beside it; all that was sent is published already.
    nothing = ("nothing new has landed", "nothing new is in its topic")
    unchanged = {key for key, said in failed.items() if said.startswith(nothing)}
    assert set(failed) == unchanged, failed
