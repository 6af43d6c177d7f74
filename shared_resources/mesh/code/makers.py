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
from shared_resources.mesh.code.product_code import ProductCode
from shared_resources.mesh.model import CODE_FILE, CONTRACT_FILE, ProductReference

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


@cache
def added_makers() -> tuple[Maker, ...]:
    """Those of other distributions.

    Raises `UnusableExtension` for an entry point that leads to none, or to one whose file is another's.
    """
    found: dict[str, Maker] = {}
    for added, maker in extensions(GROUP, Maker):
        if maker.file in (CODE_FILE, CONTRACT_FILE, *found) or Path(maker.file).name != maker.file:
            raise UnusableExtension(
                f"{added} adds the maker {maker.name!r} for {maker.file!r}, which is no file's name or "
                "means something already; correct or uninstall it"
            )
        found[maker.file] = maker
    return tuple(found.values())


def maker_in(folder: Path) -> Maker | None:
    """The added maker whose file lies in the product's folder."""
    return next((maker for maker in added_makers() if (folder / maker.file).is_file()), None)


def read_added(maker: Maker, file: Path) -> ProductCode:
    """What the product reads, as its maker reads it from the file."""
    try:
        keys = dict.fromkeys(maker.inputs(file))
    except ValueError as problem:
        message = f"{maker.name} cannot say what it reads: {problem}"
        return ProductCode(findings=(Finding(file, 0, RULE, message, "correct the file"),))
    return ProductCode(tuple(ProductReference(key, None, file, 0) for key in keys))
