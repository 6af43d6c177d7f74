"""A second name for a published file, so that two products have it and neither can take it away.

Belongs here: hard links, and what is said where there can be none.
Does not belong here: which files a version has (the stores), what a link is for (`stores/branched/`).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from shared_resources.state.durable import sync_all
from shared_resources.stores.protocol import NotPublished, PublishError

_NO_LINKS = (errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EXDEV)


def second_names(files: Iterable[str], held: Iterable[str], attempt: Path) -> Mapping[str, str]:
    """A name below `attempt` of each file; of one that has a name among `held`, that.

    Raises `NotPublished` when a file is gone, and `PublishError` where the file system has no links.
    """
    known = {}
    for name in held:
        with suppress(FileNotFoundError):  # a damaged one is no name for anything
            known[_inode(Path(name))] = name
    names, made = {}, []
    for number, name in enumerate(files):
        path = Path(name)
        try:
            there = known.get(_inode(path))
            if there is None:
                inside = path.parent.name if path.parent.name.startswith("partition=") else ""
                target = attempt / inside / f"{number:05d}-{path.name}"
                target.parent.mkdir(exist_ok=True)
                os.link(path, target)
                made.append(target)
                there = str(target)
        except FileNotFoundError:
            raise NotPublished(
                f"{path} is gone: its version expired just now, or is damaged; `mesh check --data` "
                "tells which"
            ) from None
        except OSError as problem:
            if problem.errno not in _NO_LINKS:
                raise
            raise PublishError(
                f"{path} can have no second name ({problem.strerror}), which a branch gives it: put "
                "MESH_HOME on a file system with hard links"
            ) from problem
        names[name] = there
    # The bytes are on disk since they were published: one file a folder brings its entries there.
    sync_all({path.parent: path for path in made}.values(), attempt.parents[4])
    return names


def _inode(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
