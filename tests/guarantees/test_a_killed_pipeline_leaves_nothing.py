"""A run that is killed in the middle of its pipeline changed nothing, and nothing works on for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data_products.test_beam import LARGE, code, write
from tests.guarantees.orders import KEY, land_orders, orders_product
from tests.tiny_mesh import TinyMesh, failures

MULTI = "--direct_num_workers=2 --direct_running_mode=multi_processing"
RUNS = f"""
from shared_resources.data_products.batch import Run, attempt
from shared_resources.data_products.makers.making import make
from shared_resources.data_products.pinned_inputs import open_pinned
from shared_resources.wiring import current
from tests.guarantees.processes import definition

environment = current()
product = definition(environment, {LARGE!r})
inputs = {{{KEY!r}: open_pinned(environment, "killed", {KEY!r})}}
make(attempt(environment, product, Run("killed"), inputs))
"""
# It says that it works, and goes on once somebody wants it to.
BODY = """
    def wait(table):
        import pathlib, time
        place = pathlib.Path({place!r})
        (place / "works").touch()
        while not (place / "go on").exists():
            time.sleep(0.05)
        return table

    def large(orders: beam.PCollection[pa.Table]):
        return orders | beam.Map(wait)
"""


@pytest.mark.slow
@pytest.mark.parametrize("options", ["", MULTI], ids=["threads", "processes"])
def test_a_killed_pipeline_leaves_no_version_no_rows_and_no_process(
    mesh: TinyMesh, tmp_path: Path, options: str
) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.5, 2.5])
    assert mesh.run(KEY).success
    body = BODY.format(place=str(tmp_path))
    wait, large = body.split("    def large")
    write(mesh, code(f"    def large{large}", before=wait))
    variables = {
        **os.environ,
        "MESH_BEAM_OPTIONS": options,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    running = subprocess.Popen(
        [sys.executable, "-c", RUNS],
        env=variables,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _until(lambda: (tmp_path / "works").exists())
        assert list(mesh.environment.home.rglob("beam/output"))
        os.kill(running.pid, signal.SIGKILL)
        running.wait(60)
        _until(lambda: not _of_session(running.pid))
    finally:
        for process in _of_session(running.pid):
            os.kill(process, signal.SIGKILL)
    assert mesh.versions(LARGE) == []
    (tmp_path / "go on").touch()
    again = mesh.run(LARGE)
    assert again.success, failures(again)
    assert sorted(row["amount"] for row in mesh.rows(LARGE)) == [1.5, 2.5]
    assert not list(mesh.environment.home.rglob("*.arrows"))
    assert not list(mesh.environment.home.rglob("beam/inputs"))


def _of_session(leader: int) -> list[int]:
    """The living processes that the run and its children have started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def _until(holds: Callable[[], bool], seconds: int = 120) -> None:
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, "it took too long"
        time.sleep(0.1)
