"""`CODEOWNERS` of a mesh: who approves a change, from `domain.yaml` and `governance.yaml`.

Belongs here: the rules that follow from these files, and the part of the file that holds them.
Does not belong here: who approves waivers (`governance/waivers.py`).

Where two patterns match a file, the last one counts, for GitHub and GitLab alike. What people write above
the part or below it stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from shared_resources.findings import Finding, InvalidFile
from shared_resources.mesh import Central, Domain, Mesh
from shared_resources.problems import MeshProblem
from shared_resources.reviewing.cases import Case, Kind, Outcome
from shared_resources.state.whole_file import write_whole

RULE = "codeowners"
_BEGIN = "# <mesh> Written by `mesh codeowners` from domains/: change the owners there."
_END = "# </mesh>"
# Where GitHub and GitLab look, first of all the first.
_PLACES = (".github/CODEOWNERS", "CODEOWNERS", ".gitlab/CODEOWNERS", "docs/CODEOWNERS")
# What every domain is made with: the platform's own, and what the governance team decides.
_CENTRAL = ("shared_resources/", "domains/*", "dbt_project/", "pyproject.toml", "requirements.lock")
_OWNER = re.compile(r"@[\w.-]+(/[\w./-]+)?|[\w.+%-]+@[\w-]+(\.[\w-]+)+")
_FILE = 0o644


class Unmarked(MeshProblem):
    """The part's marks in the file are not a pair; the message names the file."""


def owners_file(top: Path) -> Path:
    """Where `CODEOWNERS` is, or is to be: below the repository's folder."""
    return next((top / place for place in _PLACES if (top / place).is_file()), top / "CODEOWNERS")


def with_owners(mesh: Mesh, top: Path) -> tuple[Path, str]:
    """The file, and what is to stand in it. Raises `InvalidFile` for owners that nobody could ask,
    `Unmarked`."""
    file = owners_file(top)
    text = file.read_text("utf-8") if file.is_file() else ""
    part = "\n".join((_BEGIN, *_rules(mesh, top), _END))
    if _BEGIN not in text and _END not in text:
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return file, f"{text}{gap}{part}\n"
    before, begins, rest = text.partition(_BEGIN)
    _, ends, after = rest.partition(_END)
    if not begins or not ends or _BEGIN in rest or _END in after:
        raise Unmarked(
            f"{file}: the part that `mesh codeowners` writes begins with the line `{_BEGIN}` and ends "
            f"with the line `{_END}`, each once; mend the marks, or remove the part with both"
        )
    return file, f"{before}{part}{after}"


def write_owners(mesh: Mesh, top: Path) -> Path:
    """Write the part; the file is whole at every moment."""
    file, text = with_owners(mesh, top)
    if not file.is_file() or file.read_text("utf-8") != text:
        write_whole(file, text.encode(), _FILE)
    return file


def differs(mesh: Mesh, top: Path) -> str | None:
    """How the file differs from what it should say; None if it does not."""
    file, text = with_owners(mesh, top)
    if not file.is_file():
        return f"there is no {file.relative_to(top)}"
    now = file.read_text("utf-8")
    if now == text:
        return None
    missing = [line for line in text.splitlines() if line not in now.splitlines()]
    named = ", ".join(f"`{' '.join(line.split())}`" for line in missing if line[:1] != "#")
    return f"{file.relative_to(top)} is not what domains/ says" + (
        f": {named} is missing" if named else ""
    )


def cases(mesh: Mesh, top: Path) -> Iterator[Case]:
    """The case of a review, where the repository has the part: whether it still says what is so."""
    file = owners_file(top)
    if not file.is_file() or _BEGIN not in file.read_text("utf-8", "replace"):
        return
    found: tuple[Finding, ...]
    try:
        why = differs(mesh, top)
        found = () if why is None else (Finding(file, 0, RULE, why, "run `mesh codeowners`"),)
    except InvalidFile as invalid:
        why, found = str(invalid), invalid.findings
    except Unmarked as unmarked:
        why, found = str(unmarked), (Finding(file, 0, RULE, str(unmarked), "mend the marks"),)
    outcome = Outcome.FAILED if found else Outcome.PASSED
    yield Case(Kind.POLICY, RULE, outcome, why or "", found)


def _rules(mesh: Mesh, top: Path) -> Iterator[str]:
    own = mesh.own_domains
    # Of a domain in a repository of its own, the central file is elsewhere, and all else its owners'.
    central = mesh.central if mesh.central.file.is_relative_to(mesh.root) else Central(mesh.root)
    wrong = [found for domain in own for found in _unusable(domain)]
    wrong += (*central.findings, *_nobody(central.file, 0, "approvers", central.approvers))
    if wrong:
        raise InvalidFile(wrong)
    prefix = mesh.root.relative_to(top).as_posix() if mesh.root != top else ""
    at = f"/{prefix}/" if prefix else "/"
    rules: list[tuple[str, Sequence[str]]] = []
    if len(own) == 1 and not central.file.is_file():
        rules.append((at if prefix else "*", _owners(own[0])))
    elif central.approvers:
        there = (path for path in _CENTRAL if "*" in path or (mesh.root / path).exists())
        rules += ((f"{at}{path}", central.approvers) for path in there)
        file = owners_file(top).relative_to(top).as_posix()
        rules.append((f"/{file}", central.approvers))
    for domain in own:
        rules.append((f"{at}domains/{domain.name}/", _owners(domain)))
        if (mesh.root / "dbt_project" / "models" / domain.name).is_dir():
            rules.append((f"{at}dbt_project/models/{domain.name}/", _owners(domain)))
    width = max((len(pattern) for pattern, _ in rules), default=0)
    for pattern, approving in rules:
        yield f"{pattern:<{width}} {' '.join(approving)}"


def _owners(domain: Domain) -> tuple[str, ...]:
    return tuple(dict.fromkeys((domain.owner, *domain.owners)))


def _unusable(domain: Domain) -> Iterator[Finding]:
    yield from (found for found in domain.findings if found.file == domain.file)
    owners = tuple(filter(None, (domain.owner, *domain.owners)))
    yield from _nobody(domain.file, domain.lines.get("owners", 0), "owners", owners)


def _nobody(file: Path, line: int, field: str, owners: Sequence[str]) -> Iterator[Finding]:
    for owner in dict.fromkeys(owners):
        if not _OWNER.fullmatch(owner):
            message = f"{owner!r} in `{field}` is nobody whom GitHub or GitLab could ask"
            remedy = "name an address of e-mail, an @account or an @organisation/team"
            yield Finding(file, line, RULE, message, remedy)
