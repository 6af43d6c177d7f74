"""Which runner carries out the pipelines, and with which options: what the environment says of it.

Belongs here: `MESH_BEAM_RUNNER` and `MESH_BEAM_OPTIONS`, and refusing what would download at run time or
could not reach its files.
Does not belong here: running a pipeline (`pipeline.py`).

Nothing is fetched while a product is made: what a run needs is there before it, in a version that
somebody chose, or the run is refused.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared_resources.confinement.guard import platform_variables
from shared_resources.data_products.function import ProductProblem

RUNNER = "MESH_BEAM_RUNNER"
OPTIONS = "MESH_BEAM_OPTIONS"
# Not `DirectRunner`: that one looks for Prism first, and downloads it.
DEFAULT = "FnApiRunner"
RUNNERS = (DEFAULT, "PrismRunner", "FlinkRunner", "SparkRunner", "PortableRunner", "DataflowRunner")
_JOB_SERVER_JARS = {"FlinkRunner": "flink_job_server_jar", "SparkRunner": "spark_job_server_jar"}
# Each has pip ask a package index when a pipeline is submitted.
_INSTALLING = ("requirements_file", "setup_file")
_ON_THIS_MACHINE = ("[local]", "[auto]")


@dataclass(frozen=True)
class BeamSettings:
    """`options` are Beam's own flags. `place` is the storage that workers elsewhere share with this
    process, empty where they are on this machine and see its files."""

    runner: str
    options: tuple[str, ...]
    place: str = ""

    @property
    def in_process(self) -> bool:
        """Whether the workers are threads of this process."""
        modes = _flags(self.options).get("direct_running_mode", "in_memory")
        return self.runner == DEFAULT and modes != "multi_processing"


class BeamUnusable(ProductProblem):
    """The runner cannot be used as it is set up; the message says what to set."""


def settings() -> BeamSettings:
    """What the environment says. Raises `BeamUnusable` with everything that is wrong."""
    variables = platform_variables()
    runner = variables.get(RUNNER, "").strip() or DEFAULT
    try:
        options = tuple(shlex.split(variables.get(OPTIONS, "")))
    except ValueError as problem:
        raise BeamUnusable(
            f"{OPTIONS} cannot be split into options ({problem}); write it as for a shell"
        ) from None
    flags = _flags(options)
    if problems := list(_problems(runner, flags)):
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise BeamUnusable(f"Beam's runner cannot be used as it is set up:{lines}")
    elsewhere = _works_elsewhere(runner, flags)
    return BeamSettings(runner, options, flags["temp_location"].rstrip("/") if elsewhere else "")


def _flags(options: tuple[str, ...]) -> dict[str, str]:
    """Each option with its value, of `--name=value`, `--name value` and `--name`."""
    found: dict[str, str] = {}
    name = ""
    for word in options:
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            found[name] = value
        elif name and not found[name]:
            found[name] = word
    return found


def _problems(runner: str, flags: Mapping[str, str]) -> Iterator[str]:
    if runner not in RUNNERS:
        which = " (it looks for Prism first, and downloads it)" if runner == "DirectRunner" else ""
        yield f"{RUNNER}={runner}{which} is none of {', '.join(RUNNERS)}"
        return
    if "runner" in flags:
        yield f"{OPTIONS} holds --runner; say it by {RUNNER}"
    for name in _INSTALLING:
        if name in flags:
            yield (
                f"--{name} has pip ask a package index at run time; build what workers need into "
                "their image, or name built files by --extra_package"
            )
    yield from _without_its_server(runner, flags)
    yield from _without_its_workers(runner, flags)
    if _works_elsewhere(runner, flags) and "://" not in flags.get("temp_location", ""):
        yield (
            f"workers of {runner} are on other machines, and --temp_location="
            f"{flags.get('temp_location', '')} is no place that they reach; name one such as "
            "s3://bucket/prefix or gs://bucket/prefix"
        )


def _without_its_server(runner: str, flags: Mapping[str, str]) -> Iterator[str]:
    """What Beam would fetch to take the job."""
    if "job_endpoint" in flags or runner in (DEFAULT, "DataflowRunner"):
        return
    if runner == "PrismRunner":
        if not _is_file(flags.get("prism_location", "")):
            yield (
                "PrismRunner would download Prism: build it once (`go install "
                "github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0`) and name the file by "
                "--prism_location, or name a running one by --job_endpoint"
            )
        return
    if runner == "PortableRunner":
        yield "PortableRunner needs --job_endpoint=HOST:PORT of the job server"
        return
    jar = _JOB_SERVER_JARS[runner]
    if not _is_file(flags.get(jar, "")):
        yield (
            f"{runner} would download its job server: name a running one by --job_endpoint, or its "
            f"file by --{jar}"
        )


def _without_its_workers(runner: str, flags: Mapping[str, str]) -> Iterator[str]:
    """What a job server would fetch to carry the job out."""
    if runner not in ("FlinkRunner", "SparkRunner", "PortableRunner") or _loops_back(runner, flags):
        return
    kind = flags.get("environment_type", "DOCKER").upper()
    named = {"environment_config", "environment_options", "sdk_container_image"} & flags.keys()
    if kind == "DOCKER" and not named:
        yield (
            f"{runner} would pull Beam's own image for its workers: name yours by "
            "--environment_type=DOCKER --environment_config=IMAGE, or use LOOPBACK, PROCESS or EXTERNAL"
        )


def _loops_back(runner: str, flags: Mapping[str, str]) -> bool:
    """Whether the pipeline's Python runs in this process, wherever the runner is."""
    local = runner == "FlinkRunner" and flags.get("flink_master", "[auto]") in _ON_THIS_MACHINE
    default = "LOOPBACK" if runner == "PrismRunner" or local else "DOCKER"
    return flags.get("environment_type", default).upper() == "LOOPBACK"


def _works_elsewhere(runner: str, flags: Mapping[str, str]) -> bool:
    return runner != DEFAULT and not _loops_back(runner, flags)


def _is_file(name: str) -> bool:
    return bool(name) and Path(name).is_file()
