"""The platform's wheel, built once for the tests that want one."""

from __future__ import annotations

import pytest

from shared_resources.repositories.platform_wheel import PlatformWheel, running_wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> PlatformWheel:
    return running_wheel(tmp_path_factory.mktemp("wheel"))
