"""The tests of a domain: run by pytest in a process of their own, told as cases.

Belongs here: where a domain's tests are, what they may see, and reading pytest's report.
Does not belong here: what tests may use of the platform (`testing/`).

They run with an empty state and a home of their own, and without the variables of this process:
they are not given what is published, nor a secret.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from shared_resources.confinement.variables import PASSED
from shared_resources.confinement.withholding import withheld, words_of
from shared_resources.findings import Finding
from shared_resources.mesh import Domain, Mesh
from shared_resources.mesh.model import only_domain
from shared_resources.reviewing.cases import Case, Kind, Outcome
from shared_resources.reviewing.child import Ended, run_child

RULE = "test"
_REMEDY = "run `python -m pytest {}` and mend the code, or the test"
_NO_TESTS = 5
_OF_PYTEST = frozenset(("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD"))
_PLACE = re.compile(r"^(\S.*\.py):(\d+): ", re.MULTILINE)
_LONGEST = 600


def of_domain(
    mesh: Mesh, domain: Domain, patience: float, python: str = sys.executable
) -> Iterator[Case]:
    """A case a test of the domain, run by `python`; one that is skipped where it has none."""
    folders = folders_of(mesh, domain)
    if not any(has_tests(folder) for folder in folders):
        said = f"{domain.name} has no tests: no test_*.py below {_relative(mesh, domain.folder)}"
        yield Case(Kind.TEST, "tests", Outcome.SKIPPED, said)
        return
    with tempfile.TemporaryDirectory(prefix="mesh-tests-") as made:
        scratch = Path(made)
        report = scratch / "report.xml"
        ended = run_child(
            _command(mesh, folders, report, python),
            scratch,
            _variables(mesh, scratch / "home", python),
            patience,
        )
        cases = list(_read(mesh, domain, folders, report))
    yield from cases
    broke = any(case.outcome is Outcome.FAILED for case in cases)
    # With 1 and 2 it ends for tests that fail and files that cannot be read, which are cases.
    if ended.code not in (0, _NO_TESTS) and not (broke and ended.code in (1, 2)):
        yield _not_run(mesh, domain, folders, ended)
    elif not cases:
        yield Case(Kind.TEST, "tests", Outcome.SKIPPED, f"pytest finds no test in {domain.name}")


def folders_of(mesh: Mesh, domain: Domain) -> tuple[Path, ...]:
    """Where its tests are: with its code; in a repository of its own also in the folder for tests."""
    beside = mesh.root / "tests"
    own = only_domain(mesh.root) == domain.name
    return (domain.folder, beside) if own and has_tests(beside) else (domain.folder,)


def has_tests(folder: Path) -> bool:
    return any(True for pattern in ("test_*.py", "*_test.py") for _ in folder.rglob(pattern))


def _command(mesh: Mesh, folders: Sequence[Path], report: Path, python: str) -> list[str]:
    # Files of one name in two products' folders are two modules: importlib's way of importing.
    options = ["--import-mode=importlib", "--rootdir", str(mesh.root), "-p", "no:cacheprovider"]
    # The older form of the report says where a test is.
    told = ["-o", "junit_family=xunit1", "--junitxml", str(report)]
    return [python, "-m", "pytest", *options, *told, *map(str, folders)]


def _variables(mesh: Mesh, home: Path, python: str) -> dict[str, str]:
    kept = PASSED | _OF_PYTEST
    if python != sys.executable:  # another interpreter has modules of its own
        kept -= {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    seen = {name: text for name, text in os.environ.items() if name in kept}
    own = {"MESH_ROOT": str(mesh.root), "MESH_HOME": str(home), "MESH_ENV": "local"}
    # Below a person's home are keys and settings of other programs.
    return {**seen, **own, "HOME": str(home.parent), "PYTHONDONTWRITEBYTECODE": "1"}


def _read(mesh: Mesh, domain: Domain, folders: Sequence[Path], report: Path) -> Iterator[Case]:
    try:
        tree = ElementTree.parse(report)
    except (FileNotFoundError, ElementTree.ParseError):
        return  # pytest came to no report: how it ended says so
    words = _words(mesh, domain, folders)
    for told in tree.iter("testcase"):
        yield _case(mesh, domain, told, words)


def _case(
    mesh: Mesh, domain: Domain, told: ElementTree.Element, words: frozenset[str] | None
) -> Case:
    name = ".".join(filter(None, (told.get("classname"), told.get("name")))) or "test"
    seconds = float(told.get("time") or 0)
    for outcome in ("failure", "error"):
        wrong = told.find(outcome)
        if wrong is None:
            continue
        text = wrong.text or ""
        said = _message(_complaint(wrong.get("message") or "", text), words)
        file, line = _place(mesh, domain, told, text)
        remedy = _REMEDY.format(_relative(mesh, file))
        found = Finding(file, line, RULE, f"{name}: {said}", remedy)
        return Case(Kind.TEST, name, Outcome.FAILED, said, (found,), seconds=seconds)
    skipped = told.find("skipped")
    if skipped is not None:
        said = _message(skipped.get("message") or "skipped", words)
        return Case(Kind.TEST, name, Outcome.SKIPPED, said, seconds=seconds)
    return Case(Kind.TEST, name, Outcome.PASSED, seconds=seconds)


def _complaint(message: str, text: str) -> str:
    """What pytest says of a failure; of a file that cannot be read, what Python says."""
    if message and message != "collection failure":
        return message
    said = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    return "; ".join(said) or message or text


def _message(text: str, words: frozenset[str] | None) -> str:
    shown = " ".join(text.split())[:_LONGEST]
    return shown if words is None else withheld(shown, words)


def _place(mesh: Mesh, domain: Domain, told: ElementTree.Element, text: str) -> tuple[Path, int]:
    """Where the test broke, as pytest says last; else where the test is."""
    own = told.get("file") or ""
    places = [(mesh.root / file, int(line)) for file, line in _PLACE.findall(text)]
    there = [place for place in places if place[0].is_file()]
    if there:
        of_test = [place for place in there if own and place[0] == mesh.root / own]
        return (of_test or there)[-1]
    if own:
        return mesh.root / own, int(told.get("line") or -1) + 1
    return domain.file, 0


def _words(mesh: Mesh, domain: Domain, folders: Sequence[Path]) -> frozenset[str] | None:
    """What a message may say where the domain has to do with classified columns; None: all of it."""
    read = {key for product in domain.products for key in product.reads}
    contracts = [
        one.contract for one in mesh.products if one.domain == domain.name or one.key in read
    ]
    if not any(one is None or one.classified_columns for one in contracts):
        return None
    files = (file for folder in folders for file in sorted(folder.rglob("*.py")))
    names = (column.name for one in contracts if one is not None for column in one.columns)
    return words_of(*(file.read_text("utf-8", "replace") for file in files), *names, *_PYTEST)


# How pytest and what it shows complain.
_PYTEST = (
    "assert",
    "AssertionError",
    "ImportError",
    "collection",
    "failure",
    "failed",
    "setup",
    "teardown",
)


def _not_run(mesh: Mesh, domain: Domain, folders: Sequence[Path], ended: Ended) -> Case:
    lines = [line for line in ended.said.splitlines() if line.strip()][-3:]
    said = _message(" ".join(lines), _words(mesh, domain, folders))
    said = f"pytest {ended.how}" + (f": {said}" if said else "")
    remedy = _REMEDY.format(" ".join(_relative(mesh, one) for one in folders))
    found = Finding(domain.file, 0, RULE, f"the tests of {domain.name}: {said}", remedy)
    return Case(Kind.TEST, "tests", Outcome.FAILED, said, (found,))


def _relative(mesh: Mesh, file: Path) -> str:
    return (file.relative_to(mesh.root) if file.is_relative_to(mesh.root) else file).as_posix()
