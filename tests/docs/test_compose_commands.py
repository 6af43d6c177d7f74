"""What `deploy/compose` lets containers do, done without them: the images' own commands, on Postgres.

No image can be built where these tests run: paths, hosts and ports take the place of a container's.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from shared_resources.environment import PROJECT_ROOT
from tests.cli.commands import processes_of
from tests.serving.served import Served, free_port, wait_until
from tests.stand_ins.postgres import Postgres

COMPOSE = PROJECT_ROOT / "deploy" / "compose"
DOMAIN = "product"


class Container:
    """A folder that stands for a container's root, with what the two images put into it."""

    def __init__(self, root: Path, database: str) -> None:
        self.root = root
        for folder in ("opt/dagster", "srv/mesh", "run/secrets", "var/lib/mesh"):
            (root / folder).mkdir(parents=True)
        (root / "run/secrets/DAGSTER_DATABASE_URL").write_text(database)
        for name in ("dagster.yaml", "workspace.yaml"):
            shutil.copy(COMPOSE / name, root / "opt" / "dagster")
        for name in ("domains", "dbt_project"):
            shutil.copytree(PROJECT_ROOT / name, root / "srv" / "mesh" / name)
        shutil.copy(PROJECT_ROOT / "workspace.yaml", root / "srv" / "mesh")
        entry = root / "with-secrets"
        entry.write_text(self.here((COMPOSE / "with-secrets.sh").read_text()))
        entry.chmod(0o755)
        self.variables = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DOMAIN": DOMAIN,
            **_variables(self.here((COMPOSE / "platform.Dockerfile").read_text())),
        }

    def here(self, text: str) -> str:
        return re.sub(r"/(opt/dagster|srv/mesh|run/secrets|var/lib/mesh)", rf"{self.root}/\1", text)

    @contextmanager
    def runs(self, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        """The command, by the images' entry point, ended as Compose ends it."""
        with (self.root / "log").open("ab") as log:
            process = subprocess.Popen(
                [self.root / "with-secrets", *command],
                env=self.variables,
                cwd=self.root / "srv" / "mesh",
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)

    @property
    def log(self) -> str:
        return (self.root / "log").read_text()


def _variables(dockerfile: str) -> dict[str, str]:
    lines = re.findall(r"(?m)^ENV (.*)$", dockerfile)
    return dict(one.split("=", 1) for line in lines for one in shlex.split(line))


def _said(word: str, port: int) -> list[str]:
    """A command of the domain's image, at another port."""
    found = re.search(rf"(?m)^ *{word} (\[.*\])$", (COMPOSE / "domain.Dockerfile").read_text())
    assert found is not None
    return [one.replace("4000", str(port)) for one in json.loads(found[1])]


@pytest.fixture
def container(postgres: Postgres) -> Iterator[Container]:
    root = Path(tempfile.mkdtemp(prefix="mesh-"))
    yield Container(root, postgres.fresh())
    shutil.rmtree(root)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_domains_command_is_healthy_and_the_webserver_shows_it(container: Container) -> None:
    port, shown = free_port(), free_port()
    # The last CMD of the file is the server's, the one before belongs to the health check.
    *_, line = re.findall(r"(?m)^CMD .*$", (COMPOSE / "domain.Dockerfile").read_text())
    serves = [
        container.here(one.replace("--port 4000", f"--port {port}"))
        for one in json.loads(line.removeprefix("CMD "))
    ]
    check = _said("CMD", port)
    assert check[:3] == ["dagster", "api", "grpc-health-check"]
    workspace = container.root / "opt" / "dagster" / "workspace.yaml"
    entries = yaml.safe_load(workspace.read_text())["load_from"]
    (entry,) = (one for one in entries if one["grpc_server"]["location_name"] == DOMAIN)
    entry["grpc_server"] |= {"host": "localhost", "port": port}
    workspace.write_text(yaml.safe_dump({"load_from": [entry]}))
    composed = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
    command = [container.here(one) for one in composed["webserver"]["command"]]
    command = ["127.0.0.1" if one == "0.0.0.0" else one for one in command]
    command = [str(shown) if one == "3000" else one for one in command]
    with ExitStack() as running:
        running.enter_context(container.runs(serves))

        def healthy() -> bool:
            return (
                subprocess.run(check, env=container.variables, capture_output=True).returncode == 0
            )

        wait_until(healthy, 180, f"{DOMAIN} is healthy: {container.log}")
        process = running.enter_context(container.runs(command))
        home = container.root / "var" / "lib" / "mesh"
        webserver = Served(home, shown, process, container.variables)

        def answers() -> bool:
            assert process.poll() is None, container.log
            try:
                return DOMAIN in webserver.locations()
            except OSError:
                return False

        wait_until(answers, 180, "the webserver answers")
        query = "{assetNodes {assetKey {path} repository {location {name}}}}"
        shows = webserver.ask(query)["assetNodes"]
        assert [DOMAIN, "catalog"] in [one["assetKey"]["path"] for one in shows]
        assert {one["repository"]["location"]["name"] for one in shows} == {DOMAIN}
    assert processes_of(container.root / "var" / "lib" / "mesh") == []


def test_every_file_that_an_image_takes_is_there() -> None:
    for file in ("platform.Dockerfile", "domain.Dockerfile"):
        text = (COMPOSE / file).read_text().replace("${DOMAIN}", DOMAIN)
        for line in re.findall(r"(?m)^COPY (.*)$", text):
            *sources, _ = (one for one in line.split() if not one.startswith("--"))
            needed = [one for one in sources if "[" not in one]
            assert needed, line
            for source in needed:
                assert (PROJECT_ROOT / source).exists(), f"{file}: {source}"


def test_what_is_added_to_the_platform_keeps_the_locks_versions(tmp_path: Path) -> None:
    """The image's own line that makes constraints of the lock."""
    text = (COMPOSE / "platform.Dockerfile").read_text()
    found = re.search(r"sed -E -n '[^']+' requirements\.lock", text)
    assert found is not None
    lock = PROJECT_ROOT / "requirements.lock"
    command = found[0].replace("requirements.lock", shlex.quote(str(lock)))
    pins = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
    named = [one for one in lock.read_text().splitlines() if one[:1].isalnum()]
    assert len(pins.splitlines()) == len(named) > 200
    assert "[" not in pins and "\\" not in pins  # neither may stand in constraints
    assert re.search(r"(?m)^dagster==\S+ *$", pins)
