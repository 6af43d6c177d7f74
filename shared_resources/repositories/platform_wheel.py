"""The platform as a wheel: the one that runs here, or one that lies in a file.

Belongs here: making it of what runs, its version, and the template in it.
Does not belong here: what the template says (`template/`), who pins it (`lock.py`).

A checkout builds it, with the digest of its code in the version: of two checkouts that call themselves
alike a lock can name either. An installed platform is packed again from what was installed.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path
from tempfile import TemporaryDirectory

from shared_resources.environment import PROJECT_ROOT
from shared_resources.problems import MeshProblem

PLATFORM = "dagster-data-mesh"

_FILE_NAME = re.compile(r"dagster_data_mesh-(?P<version>[^-]+)-py3-none-any\.whl")
_VERSION = re.compile(r'^version = "([^"]+)"$', re.MULTILINE)
_TEMPLATE = "shared_resources/repositories/template/"
_SOURCES = ("pyproject.toml", "README.md")
_BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
# What an installer adds to what stood in the wheel.
_INSTALLERS = {"INSTALLER", "REQUESTED", "direct_url.json", "RECORD", "uv_cache.json"}
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip file can name


class NoPlatform(MeshProblem):
    """The platform's wheel is not to be had, or a file is none; the message says what to do."""

    exit_code = 2


@dataclass(frozen=True)
class PlatformWheel:
    file: Path

    @property
    def version(self) -> str:
        found = _FILE_NAME.fullmatch(self.file.name)
        assert found is not None, "open_wheel and running_wheel refuse other names"
        return found["version"]

    def unpack_template(self, into: Path) -> None:
        """The template of this release, in the folder `into`. Raises `NoPlatform` for a broken file."""
        try:
            with zipfile.ZipFile(self.file) as packed:
                names = [name for name in packed.namelist() if name.startswith(_TEMPLATE)]
                places = {name: self._place(into, name) for name in names if name[-1] != "/"}
                for name, place in places.items():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(packed.read(name))
        except (zipfile.BadZipFile, zlib.error, EOFError) as bad:
            raise _unreadable(self.file, bad) from bad

    def _place(self, into: Path, name: str) -> Path:
        place = (into / name.removeprefix(_TEMPLATE)).resolve()
        if not place.is_relative_to(into.resolve()):
            raise NoPlatform(
                f"{self.file} names {name}, a file outside of its template; nothing was unpacked. "
                "Fetch it again from where releases are"
            )
        return place


def open_wheel(file: Path) -> PlatformWheel:
    """The wheel in the file. Raises `NoPlatform` for what is no wheel of a platform with a template."""
    if not file.is_file():
        raise NoPlatform(f"there is no file {file}; name the wheel of a release of {PLATFORM}")
    if not _FILE_NAME.fullmatch(file.name):
        raise NoPlatform(
            f"{file.name} is no wheel of {PLATFORM}: those are called "
            "dagster_data_mesh-<version>-py3-none-any.whl"
        )
    try:
        with zipfile.ZipFile(file) as packed:
            names = packed.namelist()
    except zipfile.BadZipFile as bad:
        raise _unreadable(file, bad) from bad
    if f"{_TEMPLATE}copier.yml" not in names:
        raise NoPlatform(f"{file} is of a release without a template of repositories; take a later")
    return PlatformWheel(file)


def _unreadable(file: Path, bad: Exception) -> NoPlatform:
    return NoPlatform(f"{file} cannot be read as a wheel ({bad}); fetch it again")


def running_version() -> str:
    """The version that `running_wheel` would have."""
    if (PROJECT_ROOT / "pyproject.toml").is_file():
        text = (PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8")
        return f"{_VERSION.findall(text)[0]}+c{_code_digest(PROJECT_ROOT)[:12]}"
    return distribution(PLATFORM).version


def running_wheel(into: Path) -> PlatformWheel:
    """The platform that runs here, as a wheel in the folder `into`; of one platform always the same."""
    if (PROJECT_ROOT / "pyproject.toml").is_file():
        return build_wheel(PROJECT_ROOT, running_version(), into)
    return _pack(distribution(PLATFORM), into)


def build_wheel(checkout: Path, version: str, into: Path) -> PlatformWheel:
    """The platform in a checkout as a wheel of this version. Raises `NoPlatform` if it does not build."""
    with TemporaryDirectory(prefix="mesh-wheel-") as name:
        source = Path(name)
        for file in _SOURCES:
            shutil.copyfile(checkout / file, source / file)
        shutil.copytree(
            checkout / "shared_resources",
            source / "shared_resources",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        project = source / "pyproject.toml"
        text = project.read_text(encoding="utf-8")
        project.write_text(_VERSION.sub(f'version = "{version}"', text, count=1), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", _BUILD, str(source / "dist")],
            cwd=source,
            env={**os.environ, "SOURCE_DATE_EPOCH": "315532800"},  # 1980, as in `_LONG_AGO`
            capture_output=True,
            text=True,
            check=False,
        )
        made = [*(source / "dist").glob("*.whl")] if done.returncode == 0 else []
        if not made:
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise NoPlatform(f"the platform's wheel cannot be built from {checkout}: {said}")
        return PlatformWheel(Path(shutil.copy(made[0], into)))


def _code_digest(checkout: Path) -> str:
    files = [checkout / name for name in _SOURCES]
    below = (checkout / "shared_resources").rglob("*")
    files += sorted(one for one in below if one.is_file() and "__pycache__" not in one.parts)
    digest = hashlib.sha256()
    for file in files:
        text = file.read_bytes()
        digest.update(f"{file.relative_to(checkout)} {len(text)} ".encode() + text)
    return digest.hexdigest()


def _pack(installed: Distribution, into: Path) -> PlatformWheel:
    """The files that a wheel was unpacked to, as that wheel."""
    content: dict[str, bytes] = {}
    for file in installed.files or ():
        name = file.as_posix()
        kept = file.name not in _INSTALLERS and "__pycache__" not in file.parts
        if kept and not name.startswith(".."):  # the script that an installer makes
            content[name] = Path(str(installed.locate_file(file))).read_bytes()
    version = installed.version
    information = f"dagster_data_mesh-{version}.dist-info"
    if f"{information}/WHEEL" not in content or f"{_TEMPLATE}copier.yml" not in content:
        raise NoPlatform(
            f"{PLATFORM} {version} was not installed from a wheel; install it from one"
        )
    wheel = into / f"dagster_data_mesh-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in sorted(content.items()):
            packed.writestr(zipfile.ZipInfo(name, _LONG_AGO), data, zipfile.ZIP_DEFLATED)
        record = f"{information}/RECORD"
        packed.writestr(zipfile.ZipInfo(record, _LONG_AGO), _record(content, record))
    return PlatformWheel(wheel)


def _record(content: Mapping[str, bytes], record: str) -> str:
    lines = []
    for name, data in sorted(content.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(data)}\n")
    return "".join([*lines, f"{record},,\n"])
