"""`mesh stream job`, without Flink: what it prints, what it refuses, what it would run."""

import os

import pytest
from click.testing import CliRunner

from shared_resources.cli.commands.arriving.stream_job import job
from shared_resources.problems import MeshProblem
from shared_resources.production.kafka.settings import KafkaSettings
from shared_resources.streams.flink import job_sql
from shared_resources.streams.flink.generations import current, staging_of
from shared_resources.streams.flink.runner import SEPARATOR, filled
from shared_resources.streams.log.embedded.log import EmbeddedLog
from tests.guarantees.processes import definition
from tests.streams.receipts import PRODUCT, contract


@pytest.fixture
def shop(mesh, monkeypatch):
    monkeypatch.setenv("MESH_ROOT", str(mesh.root))
    monkeypatch.setenv("MESH_HOME", str(mesh.environment.home))
    monkeypatch.setattr(EmbeddedLog, "kafka", KafkaSettings("broker:9092"), raising=False)
    mesh.environment.log.create("receipts", 2)
    mesh.product(PRODUCT, contract(engine="flink"))
    return mesh


def run(*arguments):
    return CliRunner().invoke(job, list(arguments))


def test_the_job_is_printed_from_where_it_would_begin_and_nothing_is_begun(shop):
    result = run(PRODUCT, "--print")
    assert result.exit_code == 0, result.output
    assert "partition:0,offset:0;partition:1,offset:0" in result.output
    assert "INSERT INTO" in result.output
    made = definition(shop.environment, PRODUCT).contract
    assert current(shop.environment, made) is None


def test_it_becomes_the_runner_with_no_more_than_it_needs(shop, monkeypatch, tmp_path):
    python = tmp_path / "python"
    python.touch()
    begun = []
    monkeypatch.setattr(os, "execve", lambda *given: begun.append(given))
    monkeypatch.setenv("MESH_FLINK", str(python))
    monkeypatch.setenv("MESH_SIGNING_KEY", "planted-key")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", "planted-password")
    for _ in range(2):
        result = run(PRODUCT, "--set", "parallelism.default=2")
        assert result.exit_code == 0, result.output
    made = definition(shop.environment, PRODUCT).contract
    generation = current(shop.environment, made)
    assert [one for one in staging_of(shop.environment, made).iterdir() if one.is_dir()] == [
        generation.folder
    ]
    program, arguments, variables = begun[-1]
    assert program == str(python)
    assert arguments[2:] == [str(generation.folder / "job.sql"), "86400", "parallelism.default=2"]
    assert "MESH_SIGNING_KEY" not in variables
    assert variables["KAFKA_SASL_PASSWORD"] == "planted-password"
    assert "planted" not in (generation.folder / "job.sql").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((), "MESH_FLINK must be the path"), (("--set", "x"), "is not KEY=VALUE")],
)
def test_wrong_use_is_said(shop, monkeypatch, arguments, said):
    monkeypatch.delenv("MESH_FLINK", raising=False)
    result = run(PRODUCT, *arguments)
    assert result.exit_code == 2 and said in result.output


def test_a_product_of_another_engine_and_another_log_have_no_job(shop, monkeypatch):
    shop.product(PRODUCT, contract())
    result = run(PRODUCT, "--print")
    assert isinstance(result.exception, MeshProblem)
    assert "add `engine: flink`" in str(result.exception)
    shop.product(PRODUCT, contract(engine="flink"))
    monkeypatch.delattr(EmbeddedLog, "kafka")
    assert "MESH_LOG=kafka" in str(run(PRODUCT, "--print").exception)


def test_the_runner_reads_what_is_written(monkeypatch):
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", 'a"b\\c')
    assert filled(f'password="{job_sql.PASSWORD}"') == 'password="a\\"b\\\\c"'
    assert SEPARATOR == job_sql.SEPARATOR
