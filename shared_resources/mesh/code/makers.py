"""Ways to write what makes a product that other distributions add.

Belongs here: what one is, and finding them.
Does not belong here: the platform's own ways (`product_code.py`, `model_text.py`, `landing` in a
contract), running any (`data_products/`).

Another distribution adds one by an entry point of the group `dagster_data_mesh.makers` that leads to
a `Maker`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shared_resources.extensions import UnusableExtension, extensions
from shared_resources.findings import Finding
from shared_resources.mesh.code.maker_code import NO_CODE
from shared_resources.mesh.code.product_code import ProductCode
from shared_resources.mesh.model import CODE_FILE, CONTRACT_FILE, ProductReference, is_product_key

GROUP = "dagster_data_mesh.makers"
RULE = "product"


@dataclass(frozen=True)
class Maker:
    """A product whose folder has a file named `file` is made by the function that `function` gives.

    `inputs` names the keys of the products that it reads, as the file says them, without running it.
    `function` gives what `@data_product` gives of a function, a `ProductFunction`; it is called when
    the location loads, under the guard of the domain's code, and so is the function in a run. Both
    are given the file, and may raise `ValueError` with what is wrong with it. `name` is what people
    call it, the UI too.
    """

    name: str
    file: str
    inputs: Callable[[Path], Iterable[str]]
    function: Callable[[Path], object]


@dataclass(frozen=True)
class Added:
    """Those of other distributions that can be used, and what is wrong with the first that cannot."""

    makers: tuple[Maker, ...]
    problem: str = ""


@cache
def added_makers() -> Added:
    found: dict[str, Maker] = {}
    try:
        for added, maker in extensions(GROUP, Maker):
            if maker.file in found or not _is_free(maker.file):
                problem = (
                    f"{added} adds the maker {maker.name!r} for {maker.file!r}, which is no file's name "
                    "or means something already; correct or uninstall it"
                )
                return Added(tuple(found.values()), problem)
            found[maker.file] = maker
    except UnusableExtension as unusable:
        return Added(tuple(found.values()), str(unusable))
    return Added(tuple(found.values()))


def _is_free(name: str) -> bool:
    """Whether a file in a product's folder can be called so, and means nothing else there."""
    return (
        bool(name)
        and Path(name).name == name
        and name not in (CODE_FILE, CONTRACT_FILE, "rules.py", "conftest.py")
        and not name.startswith((".", "test_"))
        and not name.endswith(NO_CODE)
    )


def makers_in(folder: Path) -> list[Maker]:
    """The added makers whose files lie in the product's folder."""
    return [maker for maker in added_makers().makers if (folder / maker.file).is_file()]


def read_added(maker: Maker, file: Path) -> ProductCode:
    """What the product reads, as its maker reads it from the file."""
    try:
        keys = _keys(maker.inputs(file))
    except Exception as problem:  # noqa: BLE001 - of anybody's code; the other products are whole
        message = f"{maker.name} cannot say what it reads: {type(problem).__name__}: {problem}"
        return ProductCode(findings=(Finding(file, 0, RULE, message, "correct the file"),))
    return ProductCode(tuple(ProductReference(key, None, file, 0) for key in keys))


def _keys(said: Iterable[str]) -> list[str]:
    if isinstance(said, str):
        raise ValueError(f"it gives the text {said!r}, not a list of keys")
    keys = list(dict.fromkeys(said))
    if wrong := [key for key in keys if not (isinstance(key, str) and is_product_key(key))]:
        raise ValueError(f"{wrong[0]!r} is no product key; write it as 'domain/product'")
    return keys
