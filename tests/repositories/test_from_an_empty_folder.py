"""From an empty folder, with only the platform installed, to a product that others read; and later.

Real environments, as people have them: each step is one that somebody types.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shared_resources.environment import PROJECT_ROOT
from shared_resources.repositories.platform_wheel import PlatformWheel, build_wheel

# Slow: two virtual environments with everything in them. The later tests go on with the repository.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("own repository")]

INVOICES = "invoice_no;paid_on;amount\n" + "".join(
    f"{n};2026-{n % 12 + 1:02}-03;{n}.50\n" for n in range(1, 41)
)


@dataclass
class Person:
    """Who types commands, in a folder, with a platform on their path and no checkout of it."""

    folder: Path
    bin: Path
    took: dict[str, float] = field(default_factory=dict)

    def type(self, line: str, expect: int = 0) -> str:
        begun = time.monotonic()
        kept = ("HOME", "LANG", "SSL_CERT_FILE", "UV_CACHE_DIR", "PIP_CERT", "TMPDIR")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=self.folder,
            env={
                **{name: os.environ[name] for name in kept if name in os.environ},
                "PATH": f"{self.bin}:{os.environ['PATH']}",
                "PYTHON": sys.executable,
                **{f"GIT_{who}_NAME": "Ann" for who in ("AUTHOR", "COMMITTER")},
                **{f"GIT_{who}_EMAIL": "ann@example.com" for who in ("AUTHOR", "COMMITTER")},
            },
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        self.took[line] = time.monotonic() - begun
        assert done.returncode == expect, f"{line}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def person(wheel: PlatformWheel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Begins in an empty folder; later in the repository that they have made there."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    folder = tmp_path_factory.mktemp("person")
    platform = folder / "platform"
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, str(platform)], check=True)
    wanted = f"dagster-data-mesh[deploy,teams] @ file://{wheel.file}"
    python = str(platform / "bin" / "python")
    # The versions that everything else is tested with.
    pins = folder / "pins.txt"
    lines = (PROJECT_ROOT / "requirements.lock").read_text().splitlines()
    pins.write_text("\n".join(one.removesuffix(" \\") for one in lines if one[:1].isalnum()))
    install = [*uv, "pip", "install", "--python", python, "--constraint", str(pins), wanted]
    subprocess.run(install, check=True)
    (folder / "empty").mkdir()
    yield Person(folder / "empty", platform / "bin")
    shutil.rmtree(folder)


def test_one_in_a_repository_of_its_own_is_begun_made_and_read(person: Person) -> None:
    refused = person.type("mesh status", expect=2)
    assert "MESH_ROOT" in refused
    (person.folder.parent / "extract.csv").write_text(INVOICES)
    begin = "mesh new domain finance --owner finance@example.com --yes --repository finance"
    person.type(begin)
    person.folder /= "finance"
    person.bin = person.folder / ".venv" / "bin"
    # uv stands beside the mesh that the repository was begun with.
    person.type(f"PATH={person.folder.parent.parent}/platform/bin:$PATH make setup")
    assert "passed" in person.type("make check test lint")
    person.type("mesh new product finance/invoices --from ../../extract.csv")
    person.type("mkdir -p .mesh/landing/finance/invoices && cp ../../extract.csv $_")
    assert "40 rows  v1" in person.type("mesh run finance/invoices")
    read = person.type("mesh read finance/invoices")
    assert "1.50" in read and "2026-02-03" in read
    seconds = sum(person.took.values())
    print(f"\nfrom an empty folder to a product that is read: {seconds:.0f} s")
    for line, took in person.took.items():
        print(f"  {took:6.1f} s  {line[:90]}")


def test_it_has_versions_of_its_own(person: Person) -> None:
    """Another polars than the platform's lock has, pinned by the repository alone."""
    project = person.folder / "pyproject.toml"
    text = project.read_text()
    ours = "goes below; then `make lock`.\n"
    assert ours in text and "polars==2.0.0" not in (PROJECT_ROOT / "requirements.lock").read_text()
    project.write_text(text.replace(ours, f'{ours}  "polars==2.0.0",\n'))
    person.type("make lock")
    assert "polars==2.0.0" in (person.folder / "requirements.lock").read_text()
    person.type("mesh new product finance/paid --reads finance/invoices")
    product = person.folder / "domains" / "finance" / "products" / "paid" / "product.py"
    code = product.read_text()
    seen = "import polars as pl\n\nassert pl.__version__ == '2.0.0'\n"
    product.write_text(code.replace("import polars as pl\n", seen))
    assert "40 rows  v1" in person.type("mesh run finance/paid")
    product.write_text(code)
    # What only people know of the inferred product: until then `mesh check` asks for it.
    assert "to_confirm" in person.type("mesh check", expect=1)
    contract = product.parents[1] / "invoices" / "contract.odcs.yaml"
    asked = re.compile(r"^ *- property: toConfirm\n(^[ #].*\n)*", re.MULTILINE)
    text, found = asked.subn("", contract.read_text())
    assert found == 1
    contract.write_text(text)
    person.type("make check test lint")
    person.type("git add --all && git commit --quiet --message 'Invoices, and what was paid'")


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> PlatformWheel:
    """The wheel of a later platform, whose template says other things."""
    source = tmp_path_factory.mktemp("later")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(PROJECT_ROOT / name, source)
    shutil.copytree(PROJECT_ROOT / "shared_resources", source / "shared_resources")
    files = source / "shared_resources" / "repositories" / "template" / "files"
    makefile = files / "Makefile.jinja"
    text = makefile.read_text()
    for before, after in (
        ("## make .venv from the lock", "## make .venv, from the lock alone"),
        ("## make the products, in dependency order", "## make what is due"),
        ("## the tests", "## every test"),
    ):
        assert before in text
        text = text.replace(before, after)
    makefile.write_text(text)
    (files / ".gitlab-ci.yml").unlink()
    (files / ".github" / "workflows" / "check.yml").write_text("name: other\n")
    (files / "CODEOWNERS.jinja").write_text("* {{ owner }}\n")
    return build_wheel(source, "0.2.0", tmp_path_factory.mktemp("wheel"))


def test_a_later_platform_is_merged_into_what_was_edited(
    person: Person, later: PlatformWheel
) -> None:
    folder = person.folder
    makefile = folder / "Makefile"
    mine = makefile.read_text()
    assert "## the tests" in mine and "## formatting and lint" in mine
    mine = mine.replace("## formatting and lint", "## what we call clean")  # ours alone
    makefile.write_text(mine.replace("## the tests", "## our tests"))  # theirs, too
    (folder / ".github" / "workflows" / "check.yml").unlink()
    (folder / "notes.bin").write_bytes(bytes(range(256)))
    assert "not committed" in person.type(f"mesh upgrade --to {later.file}", expect=2)
    person.type("git add --all && git commit --quiet --message 'What is ours'")
    ours = {name: (folder / name).read_bytes() for name in ("notes.bin", "workspace.yaml")}

    said = person.type(f"mesh upgrade --to {later.file}", expect=1)
    assert "Makefile: both sides changed the same lines" in said
    merged = makefile.read_text()
    assert "## make .venv, from the lock alone" in merged and "## make what is due" in merged
    assert "## what we call clean" in merged
    marked = merged.partition("<<<<<<< before updating\n")[2].partition(">>>>>>> after updating")[0]
    assert "## our tests" in marked and "## every test" in marked
    assert not (folder / ".gitlab-ci.yml").exists()
    check = folder / ".github" / "workflows" / "check.yml"
    assert not check.exists(), "the team had deleted it"
    assert (folder / "CODEOWNERS").read_text() == "* finance@example.com\n"
    assert {name: (folder / name).read_bytes() for name in ours} == ours
    lock = (folder / "requirements.lock").read_text()
    assert "dagster-data-mesh[deploy, teams]==0.2.0" in lock and "polars==2.0.0" in lock
    assert [one.name for one in (folder / "wheels").iterdir()] == [later.file.name]

    resolved = merged.replace(f"<<<<<<< before updating\n{marked}>>>>>>> after updating\n", "{}")
    makefile.write_text(resolved.replace("{}", marked.partition("=======\n")[0]))
    person.type("make setup check test lint")
    assert "0.2.0" in person.type("uv pip show --python .venv/bin/python dagster-data-mesh")
    person.type("git add --all && git commit --quiet --message 'The platform 0.2.0'")
    assert "already" in person.type(f"mesh upgrade --to {later.file}")
    assert person.type("mesh read finance/paid").count("2026-")


def test_an_upgrade_that_cannot_be_locked_changes_nothing(
    person: Person, wheel: PlatformWheel
) -> None:
    project = person.folder / "pyproject.toml"
    project.write_text(project.read_text().replace('"polars==2.0.0"', '"polars==0.0.0"'))
    person.type("git commit --quiet --all --message 'A version that there is not'")
    said = person.type(f"mesh upgrade --to {wheel.file}", expect=1)
    assert "requirements.lock cannot be made" in said and "polars" in said
    assert person.type("git status --porcelain") == ""
    person.type("git reset --quiet --hard HEAD~1")
