"""What a dbt model says it reads, as text: its `source()` and `ref()` calls, through steps on the way.

Belongs here: finding those calls, and the files of steps.
Does not belong here: what dbt makes of them when it compiles (`data_products/dbt/`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from shared_resources.mesh.model import ProductReference, pin_of

_QUOTED = r"""\s*(?:'([^'"]+)'|"([^'"]+)")\s*"""
_CALL = re.compile(rf"\bsource\({_QUOTED},{_QUOTED}\)|\bref\((?:{_QUOTED},)?{_QUOTED}\)")
_COMMENT = re.compile(r"\{#.*?#\}|--[^\n]*", re.DOTALL)


def inputs_of_model(file: Path, products: frozenset[str]) -> tuple[ProductReference, ...]:
    """The products that the model reads. `products` are the names of those of its domain: whatever
    else it ref()s is a step, whose inputs are its own."""
    return tuple(_inputs(file, file.parent, products, {file}))


def pins_in(files: Iterable[Path]) -> list[str]:
    """The major versions that models and their tests pin, as they are written: `order/baskets@1`."""
    written = (file for file in files if file.suffix in (".sql", ".yml", ".yaml"))
    read = (inputs_of_model(file, frozenset()) for file in written)
    return sorted({one.key for found in read for one in found if pin_of(one.key)})


def _inputs(
    file: Path, folder: Path, products: frozenset[str], seen: set[Path]
) -> Iterator[ProductReference]:
    text = file.read_text(encoding="utf-8", errors="replace")
    # Comments are blanked rather than cut, so that the lines of what follows stay right.
    text = _COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment[0]), text)
    for call in _CALL.finditer(text):
        domain, source, _, name = (call[n] or call[n + 1] for n in (1, 3, 5, 7))
        line = text.count("\n", 0, call.start()) + 1
        if source:
            yield ProductReference(f"{domain}/{source}", None, file, line)
        elif name in products:
            yield ProductReference(f"{folder.name}/{name}", None, file, line)
        else:
            steps = {step for step in folder.rglob("*.sql") if step.stem == name} - seen
            seen |= steps
            for step in sorted(steps):
                yield from _inputs(step, folder, products, seen)
