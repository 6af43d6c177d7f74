"""A dbt model as the statement that it comes to, without dbt: its Jinja rendered, steps in their places.

Belongs here: rendering a model with the project's own macros, and `source()` and `ref()` in it.
Does not belong here: what dbt compiles for a run (`data_products/dbt/`), which columns a statement reads
(`model_columns.py`).

dbt takes seconds to start, and a `mesh diff` asks this of models that nobody runs. What only dbt knows
(its packages, variables, the target) is not guessed: such a model is not rendered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_resources.mesh.model import DBT_PROJECT, ProductFolder

if TYPE_CHECKING:
    from jinja2.environment import Template

# What else a file of macros may define is dbt's own, and no Jinja.
_MACRO = re.compile(r"{%-?\s*macro\b.*?{%-?\s*endmacro\s*-?%}", re.DOTALL)
_COMMENT = re.compile(r"{#.*?#}", re.DOTALL)


class NotRendered(Exception):
    """The model asks for what only dbt can say; the message says what."""


@dataclass
class Rendered:
    """`steps` are the statements of the models on the way, by the names that stand for them, those first
    that others read; `tables` the products by the names that stand for them."""

    text: str = ""
    steps: dict[str, str] = field(default_factory=dict)
    tables: dict[tuple[str, str], str] = field(default_factory=dict)


def rendered(root: Path, product: ProductFolder) -> Rendered:
    """The model of the product of the mesh at `root`. Raises `NotRendered`."""
    known = {one.pin or one.key: one.key for one in product.inputs}
    models = root / DBT_PROJECT / "models" / product.domain
    into = Rendered()
    into.text = _Rendering(root, models, known, into).text_of(product.model_file, ())
    return into


class _Rendering:
    def __init__(self, root: Path, models: Path, known: Mapping[str, str], into: Rendered) -> None:
        self._root, self._models, self._known, self._into = root, models, known, into
        self._macros = "\n".join(_macros(root / DBT_PROJECT / "macros"))

    def text_of(self, file: Path, within: tuple[str, ...]) -> str:
        import jinja2

        def ref(name: str, *more: object, **_: object) -> str:
            if more:
                raise NotRendered(f"{file.name} reads a model of a package")
            if f"{self._models.name}/{name}" in self._known:
                return self._table(self._models.name, name)
            return self._step(name, (*within, file.stem))

        try:
            text = file.read_text("utf-8")
            template = _template(self._macros + text)
            return template.render(
                source=self._table, ref=ref, config=lambda *_, **__: "", dbt=_Dbt()
            )
        except (jinja2.TemplateError, OSError, ValueError, TypeError) as problem:
            raise NotRendered(f"{file.name}: {problem}") from problem

    def _table(self, domain: str, name: str) -> str:
        key = self._known.get(f"{domain}/{name}")
        if key is None:
            raise NotRendered(f"{domain}/{name} is no input that the files say")
        self._into.tables[domain, name] = key
        return f'"{domain}"."{name}"'

    def _step(self, name: str, within: tuple[str, ...]) -> str:
        called = f"step__{name}"
        found = sorted(self._models.rglob(f"{name}.sql"))
        if len(found) != 1 or name in within:
            raise NotRendered(f"{name} is no step of {self._models.name}")
        if called not in self._into.steps:
            self._into.steps[called] = self.text_of(found[0], within)
        return called


def _template(text: str) -> Template:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, extensions=["jinja2.ext.do"]
    )
    return environment.from_string(text)


def _macros(folder: Path) -> list[str]:
    """The project's macros that are plain Jinja, each by itself."""
    from jinja2 import TemplateError

    found = []
    for file in sorted(folder.rglob("*.sql")):
        for text in _MACRO.findall(_COMMENT.sub("", file.read_text("utf-8"))):
            try:
                _template(text)
            except TemplateError:
                continue  # a model that calls it is not rendered
            found.append(text)
    return found


class _Dbt:
    """dbt's own macros, as far as it matters which columns they are given: a type is a type, and
    whatever else is a function of its arguments."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name.startswith("type_"):
            return lambda *_: "varchar"
        return lambda *given: f"{name}({', '.join(_flat(given))})"


def _flat(given: tuple[object, ...]) -> list[str]:
    parts = (one if isinstance(one, list) else [one] for one in given)
    return [str(one) for part in parts for one in part]
