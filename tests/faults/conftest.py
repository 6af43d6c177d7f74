"""A proxy before the session's stand-ins, and clients that lose patience quickly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.proxy import Proxy, running_proxy
from tests.stand_ins import StandIns


@pytest.fixture
def proxy(stand_ins: StandIns) -> Iterator[Proxy]:
    with running_proxy(stand_ins) as running:
        yield running
