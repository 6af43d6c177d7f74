"""The jars' folder: who lacks Java is told loudly, and in CI nothing is passed over in silence."""

from __future__ import annotations

import pytest

from tests.stand_ins import java_jars


def test_without_java_a_machine_skips_and_ci_fails(monkeypatch):
    monkeypatch.setattr(java_jars.shutil, "which", lambda name: None)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="java and mvn not found"):
        java_jars.require_java()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="Maven"):
        java_jars.require_java()


def test_jars_lie_in_one_place(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert java_jars.jars_below() == tmp_path / "dagster-data-mesh" / "jars"
