"""Writing the files of something new: all of them, or none.

Belongs here: what is not overwritten, what is undone, who may read the files.
Does not belong here: what the files say.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import rmtree

from shared_resources.problems import MeshProblem
from shared_resources.state.whole_file import write_whole

# Sources are for whoever works in the checkout, unlike the state, which is its user's alone.
_FOLDER, _FILE = 0o755, 0o644


class NotMade(MeshProblem):
    """The new thing was not made, and nothing of it is there; the message says why."""

    exit_code = 2


@contextmanager
def written(
    folder: Path, files: Mapping[str, str], beside: Mapping[Path, str] | None = None
) -> Iterator[tuple[Path, ...]]:
    """The new folder with these files, by name, and the files `beside` it; the block may look at them.

    The folder is there whole or not at all; a file beside it is new, or replaced as a whole. What the
    block raises undoes all of it. Raises `NotMade` for a folder that is there already.
    """
    beside = beside or {}
    with ExitStack() as undo:
        _make_folder(folder, files, undo)
        for file, text in beside.items():
            _replace(file, text, undo)
        yield (*(folder / name for name in files), *beside)
        undo.pop_all()


def _make_folder(folder: Path, files: Mapping[str, str], undo: ExitStack) -> None:
    if folder.exists() or folder.is_symlink():
        raise NotMade(f"{folder} is there already; choose another name, or remove it")
    _make_parents(folder, undo)
    # A leading point: no domain or product to anybody until it has its name.
    made = Path(tempfile.mkdtemp(prefix=f".new-{folder.name}-", dir=folder.parent))
    undo.callback(rmtree, made, ignore_errors=True)
    made.chmod(_FOLDER)
    for name, text in files.items():
        file = made / name
        file.write_text(text, encoding="utf-8")
        file.chmod(_FILE)
    made.rename(folder)
    undo.callback(rmtree, folder, ignore_errors=True)


def _make_parents(path: Path, undo: ExitStack) -> None:
    missing = [parent for parent in path.parents if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir()
        parent.chmod(_FOLDER)
        undo.callback(_remove_empty, parent)


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _replace(file: Path, text: str, undo: ExitStack) -> None:
    if file.exists():
        mode = file.stat().st_mode & 0o777
        before = file.read_bytes()
        write_whole(file, text.encode(), mode)
        undo.callback(write_whole, file, before, mode)
    else:
        _make_parents(file, undo)
        write_whole(file, text.encode(), _FILE)
        undo.callback(file.unlink, missing_ok=True)
