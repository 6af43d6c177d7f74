"""Which runner is used, and every way in which one would fetch something at run time."""

from __future__ import annotations

import sys

import pytest

from shared_resources.data_products.beam.settings import OPTIONS, RUNNER, BeamUnusable, settings

FILE = sys.executable  # any file that is there


def set_to(monkeypatch: pytest.MonkeyPatch, runner: str, options: str) -> None:
    monkeypatch.setenv(RUNNER, runner)
    monkeypatch.setenv(OPTIONS, options)


@pytest.mark.parametrize(
    ("runner", "options", "in_process", "place"),
    [
        ("", "", True, ""),
        ("FnApiRunner", "--direct_num_workers=2 --direct_running_mode multi_processing", False, ""),
        ("PrismRunner", f"--prism_location={FILE}", False, ""),
        ("PrismRunner", "--job_endpoint localhost:8073", False, ""),
        ("FlinkRunner", f"--flink_job_server_jar={FILE}", False, ""),
        ("FlinkRunner", "--job_endpoint=flink:8099 --environment_type=LOOPBACK", False, ""),
        (
            "FlinkRunner",
            "--flink_master=flink:8081 --job_endpoint=flink:8099 --environment_type=EXTERNAL "
            "--environment_config=localhost:50000 --temp_location=s3://bucket/tmp/",
            False,
            "s3://bucket/tmp",
        ),
        (
            "DataflowRunner",
            "--project=p --region=r --temp_location=gs://b/t --staging_location=gs://b/s",
            False,
            "gs://b/t",
        ),
    ],
)
def test_a_runner_that_has_all_it_needs(
    monkeypatch: pytest.MonkeyPatch, runner: str, options: str, in_process: bool, place: str
) -> None:
    set_to(monkeypatch, runner, options)
    chosen = settings()
    assert (chosen.runner, chosen.in_process) == (runner or "FnApiRunner", in_process)
    assert chosen.place == place
    assert " ".join(chosen.options) == options


@pytest.mark.parametrize(
    ("runner", "options", "said"),
    [
        ("DirectRunner", "", r"DirectRunner \(it looks for Prism first, and downloads it\)"),
        ("Spork", "", "MESH_BEAM_RUNNER=Spork is none of FnApiRunner"),
        ("", "--runner=X", "holds --runner; say it by MESH_BEAM_RUNNER"),
        ("", "--requirements_file=r.txt", "asks? a package index at run time"),
        ("", "--setup_file=./setup.py", "asks? a package index at run time"),
        ("", "'--open", "cannot be split into options"),
        ("PrismRunner", "", "would download Prism: build it once"),
        ("PrismRunner", "--prism_location=https://somewhere/prism.zip", "would download Prism"),
        ("PortableRunner", "--environment_type=LOOPBACK", "needs --job_endpoint=HOST:PORT"),
        ("FlinkRunner", "", "would download its job server: .*--flink_job_server_jar"),
        ("SparkRunner", "--environment_type=LOOPBACK", "--spark_job_server_jar"),
        ("FlinkRunner", "--flink_master=f:1 --job_endpoint=f:2", "would pull Beam's own image"),
        (
            "FlinkRunner",
            "--flink_master=f:1 --job_endpoint=f:2 --environment_type=DOCKER "
            "--environment_config=ours:1 --temp_location=/tmp/x",
            "workers of FlinkRunner are on other machines, and --temp_location=/tmp/x is no place",
        ),
        ("DataflowRunner", "--project=p", "--temp_location= is no place that they reach"),
    ],
)
def test_what_would_download_or_not_reach_its_files_is_refused(
    monkeypatch: pytest.MonkeyPatch, runner: str, options: str, said: str
) -> None:
    set_to(monkeypatch, runner, options)
    with pytest.raises(BeamUnusable, match=said):
        settings()
