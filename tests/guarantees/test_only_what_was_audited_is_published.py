"""What is published is what the audit saw, on top of what was there when it was begun.

Belongs here: whole runs in which something changes between audit and commit.
Does not belong here: the stores' own checks (tests/stores/test_only_what_was_audited.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest

from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.contracts.model import Server
from shared_resources.data_products import auditing
from tests.guarantees.orders import COLUMNS, KEY, LANDING, amounts, land_orders
from tests.landing.listing import lies_below
from tests.tiny_mesh import TinyMesh, contract_text, failures


@pytest.fixture
def after_audit(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., None]], None]:
    """Lets something happen once, after an audit and before its batch is published."""

    def happen(what: Callable[..., None]) -> None:
        really = auditing.audit_batch

        def audited(*args: Any) -> Any:
            monkeypatch.setattr(auditing, "audit_batch", really)
            done = really(*args)
            what(done)
            return done

        monkeypatch.setattr(auditing, "audit_batch", audited)

    return happen


def both_stores(mesh: TinyMesh) -> None:
    servers = ("lake", "warehouse")
    mesh.product(KEY, contract_text(KEY, COLUMNS, servers=servers, properties={"landing": LANDING}))


def test_a_run_that_was_stopped_does_not_publish_its_older_extract(
    mesh: TinyMesh, after_audit: Callable[[Callable[..., None]], None]
) -> None:
    both_stores(mesh)
    land_orders(mesh, [1.0])
    assert mesh.run(KEY).success

    def newer_is_published(_: Any) -> None:
        land_orders(mesh, [3.0], "newer")
        assert mesh.run(KEY).success

    land_orders(mesh, [2.0], "older")
    after_audit(newer_is_published)
    late = mesh.run(KEY)
    assert not late.success and "went from version 1 to 2" in failures(late)
    for server in (Server.LAKE, Server.WAREHOUSE):
        store = mesh.environment.stores[server]
        assert [version.number for version in store.versions(KEY)] == [1, 2]
        assert store.open(KEY).batches(["amount"]).read_all()["amount"].to_pylist() == [3.0]
    # What the loser read was neither published nor refused: it is asked for again.
    zone = mesh.environment.landing_zone
    older = next(obj for obj in lies_below(zone, "order/orders") if "older" in obj.key)
    assert Ledger(mesh.environment.state, KEY).questions.unprocessed([older]) == [older]


def test_a_file_that_changes_after_the_audit_is_not_published(
    mesh: TinyMesh, after_audit: Callable[[Callable[..., None]], None]
) -> None:
    both_stores(mesh)
    land_orders(mesh, [1.0])
    assert mesh.run(KEY).success

    def rewrite(audited: Any) -> None:
        path = audited.staged.files[0].path
        table = pq.read_table(path)
        negative = table.set_column(
            table.schema.get_field_index("amount"), "amount", [[-9.0] * len(table)]
        )
        pq.write_table(negative.cast(table.schema), path, compression="zstd")

    land_orders(mesh, [2.0])
    after_audit(rewrite)
    result = mesh.run(KEY)
    assert not result.success and "was changed after it was staged" in failures(result)
    assert amounts(mesh) == [1.0]
