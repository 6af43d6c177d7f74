"""`mesh stream job`, without Flink: what it prints, what it refuses, what it would run."""

import fcntl
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


def with_gate(shop):
    gate = {"topic": "good", "engine": "flink"}
    shop.product(PRODUCT, contract(engine="flink", gate=gate))
    return definition(shop.environment, PRODUCT).contract


def flink(tmp_path, monkeypatch, code=0):
    """An interpreter that writes down what it is asked, and the job that is begun at last."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nexit {code}\n')
    python.chmod(0o700)
    monkeypatch.setenv("MESH_FLINK", str(python))
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)  # it is this process's to its end
    begun = []
    monkeypatch.setattr(os, "execve", lambda *given: begun.append(given))
    return begun


def test_a_job_at_a_gate_ends_first_what_the_one_before_has_written(shop, monkeypatch, tmp_path):
    made = with_gate(shop)
    begun = flink(tmp_path, monkeypatch)
    assert run(PRODUCT, "--set", "parallelism.default=2").exit_code == 0
    first = current(shop.environment, made)
    assert first.gate == {0: 0, 1: 0} and first.options == ("parallelism.default=2",)
    assert shop.environment.log.topic("good.undecided").partitions == 2
    assert not (tmp_path / "asked").exists()
    checkpoint = first.folder / "checkpoints" / "job" / "chk-3"
    checkpoint.mkdir(parents=True)
    (checkpoint / "_metadata").touch()
    os.utime(checkpoint / "_metadata", (0, 0))
    result = run(PRODUCT)
    assert result.exit_code == 0, result.output
    asked = (tmp_path / "asked").read_text()
    assert asked.split()[1:] == [
        str(first.folder / "job.sql"),
        "end",
        "parallelism.default=2",
        f"execution.state-recovery.path={checkpoint.as_uri()}",
    ]
    assert "some may be missing" in result.output
    assert len(begun) == 2 and current(shop.environment, made).folder != first.folder


def test_what_was_not_committed_stays_to_be(shop, monkeypatch, tmp_path):
    made = with_gate(shop)
    begun = flink(tmp_path, monkeypatch, code=3)
    assert run(PRODUCT).exit_code == 0
    first = current(shop.environment, made)
    (first.folder / "checkpoints" / "chk-3").mkdir(parents=True)
    (first.folder / "checkpoints" / "chk-3" / "_metadata").touch()
    result = run(PRODUCT)
    assert "was not committed" in str(result.exception)
    assert len(begun) == 1 and current(shop.environment, made) == first


def test_two_jobs_at_one_gate_are_one_too_many(shop, monkeypatch, tmp_path):
    made = with_gate(shop)
    flink(tmp_path, monkeypatch)
    root = staging_of(shop.environment, made)
    root.mkdir(parents=True)
    monkeypatch.undo()
    monkeypatch.setenv("MESH_ROOT", str(shop.root))
    monkeypatch.setenv("MESH_HOME", str(shop.environment.home))
    monkeypatch.setenv("MESH_FLINK", str(tmp_path / "python"))
    with (root / "running").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        result = run(PRODUCT)
    assert result.exit_code == 2 and "runs already" in result.output


def test_a_gate_is_printed_with_its_job(shop):
    with_gate(shop)
    result = run(PRODUCT, "--print")
    assert result.exit_code == 0, result.output
    assert "'topic' = 'good.undecided'" in result.output
    assert shop.environment.log.topic("good.undecided") is None


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
