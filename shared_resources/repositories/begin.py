"""A domain's own repository begun: rendered, locked, with the domain in it, and committed.

Belongs here: putting it together, whole or not at all.
Does not belong here: what stands in it (`template/`, `scaffolding/`), its later versions (`upgrade.py`).
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from shared_resources.repositories.git import commit_all, git
from shared_resources.repositories.lock import WHEELS, make_lock
from shared_resources.repositories.platform_wheel import running_wheel
from shared_resources.repositories.rendering import render, write_answers
from shared_resources.scaffolding.new_domain import NewDomain, make_domain, safe_name
from shared_resources.scaffolding.new_files import NotMade

# What the governance team decides for every domain: the template does not know it.
_CENTRAL = Path("domains", "governance.yaml")


def make_repository(place: Path, domain: NewDomain, mesh: Path | None) -> None:
    """Make the repository at `place`, where nothing is yet, or an empty folder.

    `mesh` is the project whose central decisions hold for it, if there is one. Raises `NotMade`, or
    what rendering, locking and git raise, and leaves nothing behind.
    """
    place = place.absolute()
    safe_name(domain.name)
    if place.is_symlink() or (place.exists() and not (place.is_dir() and not any(place.iterdir()))):
        raise NotMade(f"{place} is there already; name a folder that is not, or an empty one")
    if not place.parent.is_dir():
        raise NotMade(f"{place.parent} is no folder; make it, or name another place")
    made = Path(tempfile.mkdtemp(prefix=f".new-{place.name}-", dir=place.parent))
    try:
        made.chmod(0o755)
        _fill(made, domain, mesh)
        made.rename(place)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _fill(repository: Path, domain: NewDomain, mesh: Path | None) -> None:
    (repository / WHEELS).mkdir()
    wheel = running_wheel(repository / WHEELS)
    answers = {"name": domain.name, "owner": domain.owner, "platform": wheel.version}
    with tempfile.TemporaryDirectory(prefix="mesh-template-") as template:
        wheel.unpack_template(Path(template))
        render(Path(template), repository, answers)
    write_answers(repository, answers)
    make_domain(repository, domain)
    if mesh is not None and (mesh / _CENTRAL).is_file():
        shutil.copyfile(mesh / _CENTRAL, repository / _CENTRAL)
    make_lock(repository)
    _open_to_all(repository)
    git(repository, "init", "--quiet", "--initial-branch", "main")
    commit_all(repository, f"The {domain.name} domain begins", domain.owner)


def _open_to_all(repository: Path) -> None:
    """Sources are for whoever works in the checkout; `mesh` makes files that its user alone can read."""
    for one in repository.rglob("*"):
        one.chmod(0o755 if one.is_dir() else 0o644)
