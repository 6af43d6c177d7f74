"""The platform's wheel: what is in it, and that an installed platform gives the same again."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from shared_resources.environment import PROJECT_ROOT
from shared_resources.repositories.platform_wheel import (
    NoPlatform,
    PlatformWheel,
    open_wheel,
    running_version,
)

# Asked of the platform that is installed beside it, in an interpreter of its own.
AGAIN = (
    "import sys; from pathlib import Path\n"
    "from shared_resources.repositories.platform_wheel import running_wheel\n"
    "print(running_wheel(Path(sys.argv[1])).file)\n"
)


def content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as packed:
        names = [name for name in packed.namelist() if not name.endswith("/RECORD")]
        return {name: packed.read(name) for name in names}


def test_it_holds_the_platform_whole_and_no_domain(wheel: PlatformWheel) -> None:
    platform = (PROJECT_ROOT / "shared_resources").rglob("*")
    there = {
        file.relative_to(PROJECT_ROOT).as_posix()
        for file in platform
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {"shared_resources/py.typed", "shared_resources/cli/main.py"} < there
    assert any("/files/.github/" in name for name in there)
    names = {name for name in content(wheel.file) if ".dist-info/" not in name}
    assert names == there


def test_a_checkouts_version_names_its_code(wheel: PlatformWheel) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\+c[0-9a-f]{12}", wheel.version)
    assert wheel.version == running_version()
    said = next(text for name, text in content(wheel.file).items() if name.endswith("/METADATA"))
    assert f"\nVersion: {wheel.version}\n".encode() in said


def test_an_installed_platform_is_packed_again_as_it_was(
    wheel: PlatformWheel, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    uv = [sys.executable, "-m", "uv", "--quiet", "--offline"]
    subprocess.run([*uv, "venv", "--python", sys.executable, str(bare)], check=True)
    python = str(bare / "bin" / "python")
    install = [*uv, "pip", "install", "--no-deps", "--python", python, str(wheel.file)]
    subprocess.run(install, check=True)
    again = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        told = subprocess.run(
            [python, "-c", AGAIN, str(tmp_path / name)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        again.append(Path(told.stdout.strip()))
    assert again[0].name == wheel.file.name
    assert content(again[0]) == content(wheel.file)
    assert again[0].read_bytes() == again[1].read_bytes()


def test_the_template_comes_out_of_it(wheel: PlatformWheel, tmp_path: Path) -> None:
    wheel.unpack_template(tmp_path)
    source = PROJECT_ROOT / "shared_resources" / "repositories" / "template"
    for folder in (source, tmp_path):
        assert (folder / "files" / ".ci" / "run").is_file()
    files = [file for file in source.rglob("*") if file.is_file()]
    for file in files:
        assert (tmp_path / file.relative_to(source)).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("below", ["dbt_project.yml", "macros", "tests/generic"])
def test_what_dbt_models_share_is_in_the_template_as_in_the_platforms_own_project(
    below: str,
) -> None:
    template = PROJECT_ROOT / "shared_resources/repositories/template/files/dbt_project"

    def texts(folder: Path) -> dict[str, str]:
        found = [folder] if folder.is_file() else [*folder.iterdir()]
        return {one.name: one.read_text() for one in found}

    assert texts(template / below) == texts(PROJECT_ROOT / "dbt_project" / below)


@pytest.mark.parametrize("name", ["dagster_data_mesh-0.1.0-py3-none-any.whl", "polars.whl", "no"])
def test_what_is_no_wheel_of_the_platform_is_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    if name != "no":
        file.write_bytes(b"PK no zip")
    with pytest.raises(NoPlatform, match=re.escape(name)) as raised:
        open_wheel(file)
    assert raised.value.exit_code == 2


def test_a_release_without_a_template_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "dagster_data_mesh-0.0.9-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("shared_resources/__init__.py", "")
    with pytest.raises(NoPlatform, match="without a template"):
        open_wheel(file)


@pytest.mark.parametrize("member", ["../climbed", "files/../../climbed", "/climbed"])
def test_a_file_that_would_lie_outside_of_the_template_is_refused(
    member: str, tmp_path: Path
) -> None:
    file = tmp_path / "dagster_data_mesh-0.1.0-py3-none-any.whl"
    template = "shared_resources/repositories/template/"
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr(f"{template}copier.yml", "_min_copier_version: '9'")
        packed.writestr(f"{template}{member}", "climbed")
    into = tmp_path / "below" / "into"
    with pytest.raises(NoPlatform, match="outside of its template; nothing was unpacked"):
        open_wheel(file).unpack_template(into)
    assert list(tmp_path.rglob("*")) == [file]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_broken_file_in_a_wheel_is_said(compression: int, tmp_path: Path) -> None:
    file = tmp_path / "dagster_data_mesh-0.1.0-py3-none-any.whl"
    name = "shared_resources/repositories/template/copier.yml"
    with zipfile.ZipFile(file, "w", compression) as packed:
        packed.writestr(name, "a line\n" * 100)
    whole = bytearray(file.read_bytes())
    begin = 30 + len(name)  # behind the header of the first member
    whole[begin : begin + 4] = b"\xff\xff\xff\xff"
    file.write_bytes(whole)
    with pytest.raises(NoPlatform, match="cannot be read as a wheel"):
        open_wheel(file).unpack_template(tmp_path / "into")
