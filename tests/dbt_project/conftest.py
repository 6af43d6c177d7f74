"""The example's dbt project, compiled once for all tests of this folder."""

from __future__ import annotations

import pytest

from shared_resources.data_products.dbt.model import DbtModels
from shared_resources.environment import PROJECT_ROOT
from shared_resources.wiring import LocalEnvironment


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> DbtModels:
    return DbtModels(LocalEnvironment(root=PROJECT_ROOT, home=tmp_path_factory.mktemp("home")))
