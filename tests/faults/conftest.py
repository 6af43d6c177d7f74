"""A proxy before the session's stand-ins, and clients that lose patience quickly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.impatience import impatient_clients
from tests.faults.proxy import Proxy, running_proxy
from tests.stand_ins import StandIns
from tests.stand_ins.servers import environment
from tests.stores.places import Place


@pytest.fixture
def proxy(stand_ins: StandIns) -> Iterator[Proxy]:
    with running_proxy(stand_ins) as running:
        yield running


@pytest.fixture
def place(
    request: pytest.FixtureRequest, stand_ins: StandIns, proxy: Proxy, tmp_path: Path
) -> Iterator[Place]:
    variables = {**stand_ins.fresh(), **proxy.endpoints}
    with environment(variables), impatient_clients():
        yield Place(request.param, tmp_path / request.param, variables)
