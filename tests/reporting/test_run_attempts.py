"""What becomes of an attempt is written down when it is known, and at no other moment."""

from __future__ import annotations

import gc

import pytest

from shared_resources.state.attempt import Outcome
from shared_resources.state.last_attempts import LastAttempts
from shared_resources.stores.protocol import PublishError
from tests.guarantees.orders import KEY, land_orders, orders_product
from tests.tiny_mesh import TinyMesh


@pytest.mark.timeout(60)  # the database's own patience is longer
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_what_dagster_abandoned_is_closed_within_a_transaction_of_the_same_thread(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector closes the op of a run whose output was not handled, whenever it comes by."""

    def full(*_: object) -> None:
        raise PublishError("there is no room")

    orders_product(mesh)
    land_orders(mesh, [1.5])
    monkeypatch.setattr("shared_resources.io_managers.product_io_manager.publish", full)
    gc.disable()
    try:
        failed = mesh.run(KEY)
        assert not failed.success
        del failed
        with mesh.environment.state.begin():
            gc.collect()
    finally:
        gc.enable()
    (attempt,) = LastAttempts(mesh.environment.state, KEY).all()
    assert attempt.outcome is Outcome.FAILED
    assert "there is no room" in attempt.message
