"""Which columns of its inputs a dbt model reads, and which of them each of its columns is made from.

Belongs here: asking sqlglot of the statement that the files say.
Does not belong here: rendering the model (`rendered_model.py`), what dbt's own statement said in a run
(`data_products/dbt/lineage.py`).

A column that only filters, joins or groups is read, too: without it the statement fails, and other values
in it make other rows. Lineage in a version's evidence names what a column is made from, and no more, and
is of the statement that ran then; so the files are asked. Where they do not say, every column counts.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_resources.data_products.compared.rendered_model import NotRendered, Rendered, rendered
from shared_resources.mesh import Mesh, ProductFolder
from shared_resources.mesh.model import ProductKind

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope

# As contracts say it for every engine; a model of another dialect is not understood, and reads all.
_DIALECT = "duckdb"
_log = logging.getLogger(__name__)
# By product: its columns that are read, None where that is not known.
Read = Mapping[str, frozenset[str] | None]
_Tables = tuple[tuple[tuple[str, str], str, tuple[str, ...]], ...]


def columns_read(
    mesh: Mesh, model: ProductFolder, key: str, more: Collection[str] = ()
) -> tuple[str, ...] | None:
    """The columns of the product `key` that the model reads; None where every one counts.

    `more` are columns that the product had, which a statement may still name.
    """
    asked = _asked(mesh, model, {key: more})
    if asked is None:
        return None
    found = _read(*asked).get(key)
    if found is None:
        return None
    return tuple(sorted(name for name in {*_names(mesh, key), *more} if name.lower() in found))


def made_from_columns(
    mesh: Mesh, model: ProductFolder, had: Mapping[str, Collection[str]]
) -> Mapping[str, frozenset[tuple[str, str]]]:
    """By column of the model the columns that it is made from, as (product, column) in lower case;
    nothing where that is not known. `had` are columns that products had."""
    asked = _asked(mesh, model, had)
    return _made(*asked) if asked is not None else {}


def _asked(
    mesh: Mesh, model: ProductFolder, had: Mapping[str, Collection[str]]
) -> tuple[str, tuple[tuple[str, str], ...], _Tables] | None:
    """The statement, its steps and tables, as what can be remembered."""
    if model.kind is not ProductKind.DBT or not model.model_file.is_file():
        return None
    try:
        said: Rendered = rendered(_root(model), model)
    except NotRendered as problem:
        _log.debug("%s is taken to read all of its inputs: %s", model.key, problem)
        return None
    tables = tuple(
        (place, key, tuple(sorted({*_names(mesh, key), *had.get(key, ())})))
        for place, key in sorted(said.tables.items())
    )
    return said.text, tuple(said.steps.items()), tables


def _root(model: ProductFolder) -> Path:
    return model.folder.parents[3]


def _names(mesh: Mesh, key: str) -> Iterator[str]:
    """The columns of the product, by the names that readers may call them."""
    try:
        contract = mesh.product(key).contract
    except KeyError:
        return
    for column in contract.columns if contract else ():
        yield column.name
        yield from (one.name for one in column.former)


@lru_cache(maxsize=256)
def _read(text: str, steps: tuple[tuple[str, str], ...], tables: _Tables) -> Read:
    from sqlglot.optimizer.pushdown_projections import pushdown_projections

    unknown: Read = {key: None for _, key, _ in tables}
    try:
        named = _Found(tables, _qualified(text, steps, tables, expanded=False)).columns()
        whole = _qualified(text, steps, tables, expanded=True)
        if _has_star(whole):
            return unknown  # of a product without a valid contract
        # Of what a star brings only that counts which somebody takes; what is named counts as it stands.
        brought = _Found(tables, pushdown_projections(whole)).columns()
    except Exception:  # noqa: BLE001 - what sqlglot does not expect ends in any of Python's errors
        _log.debug("a model's statement is not understood", exc_info=True)
        return unknown
    return {key: _both(named[key], brought[key]) for key in unknown}


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    return None if one is None or other is None else one | other


@lru_cache(maxsize=256)
def _made(
    text: str, steps: tuple[tuple[str, str], ...], tables: _Tables
) -> Mapping[str, frozenset[tuple[str, str]]]:
    from sqlglot import exp
    from sqlglot.lineage import lineage

    keys = {place: key for place, key, _ in tables}
    try:
        whole = _qualified(text, steps, tables, expanded=True)
        # As text: `lineage` cannot go through what is qualified already.
        said, found = whole.sql(dialect=_DIALECT), {}
        for column in whole.named_selects:
            made = set()
            for node in lineage(column, said, schema=_schema(tables), dialect=_DIALECT).walk():
                table = None if node.downstream else node.expression.find(exp.Table)
                if table is not None and (key := keys.get((table.db, table.name))):
                    made.add((key, exp.to_column(node.name).name.lower()))
            found[column.lower()] = frozenset(made)
    except Exception:  # noqa: BLE001 - as above
        _log.debug("a model's statement is not understood", exc_info=True)
        return {}
    return found


def _schema(tables: _Tables) -> dict[str, Any]:
    """Types decide nothing here: every column is a text."""
    found: dict[str, Any] = {}
    for (domain, name), _, columns in tables:
        found.setdefault(domain, {})[name] = dict.fromkeys(columns, "VARCHAR")
    return found


def _qualified(
    text: str, steps: tuple[tuple[str, str], ...], tables: _Tables, *, expanded: bool
) -> Any:
    from sqlglot import exp, parse_one
    from sqlglot.optimizer.qualify import qualify

    read = parse_one(text, dialect=_DIALECT)
    assert isinstance(read, exp.Query)
    for name, step in reversed(steps):
        read = _before(read, name, parse_one(step, dialect=_DIALECT))
    return qualify(
        read,
        dialect=_DIALECT,
        schema=_schema(_with_named(read, tables)),
        expand_stars=expanded,
        validate_qualify_columns=False,
        identify=False,
    )


def _with_named(read: Any, tables: _Tables) -> _Tables:
    """The tables with the columns that the statement says they have: of another product, too, a column
    may be gone that it still names."""
    from sqlglot import exp
    from sqlglot.optimizer.scope import traverse_scope

    named: dict[tuple[str, str], set[str]] = {place: {*columns} for place, _, columns in tables}
    for scope in traverse_scope(read):
        for column in scope.columns:
            table = scope.sources.get(column.table)
            if isinstance(table, exp.Table) and column.name != "*":
                named.get((table.db, table.name), set()).add(column.name)
    return tuple((place, key, tuple(sorted(named[place]))) for place, key, _ in tables)


def _before(read: exp.Query, name: str, step: Any) -> exp.Query:
    """The statement with the step's among its common tables, before all of them."""
    from sqlglot import exp

    with_ = read.args.get("with_")
    own = list(with_.expressions) if with_ is not None else []
    common = exp.CTE(this=step, alias=exp.TableAlias(this=exp.to_identifier(name)))
    read.set("with_", exp.With(expressions=[common, *own]))
    return read


def _has_star(statement: Any) -> bool:
    from sqlglot.optimizer.scope import traverse_scope

    return any(scope.expression.is_star for scope in traverse_scope(statement))


class _Found:
    """The columns of the tables that a qualified statement names, scope by scope."""

    def __init__(self, tables: _Tables, statement: Any) -> None:
        self._keys = {place: key for place, key, _ in tables}
        self._names = {key: {name.lower() for name in columns} for _, key, columns in tables}
        self._columns: dict[str, set[str]] = {key: set() for key in self._names}
        self._unknown: set[str] = set()
        self._statement = statement

    def columns(self) -> Read:
        from sqlglot import exp
        from sqlglot.optimizer.scope import traverse_scope

        beyond = (exp.Columns, exp.Pivot, exp.Lateral, exp.TableColumn)
        if any(True for _ in self._statement.find_all(*beyond)) or self._is_natural():
            return dict.fromkeys(self._names)
        for scope in traverse_scope(self._statement):
            for column in scope.columns:
                self._column(scope, column)
        return {
            key: None if key in self._unknown else frozenset(names)
            for key, names in self._columns.items()
        }

    def _is_natural(self) -> bool:
        from sqlglot import exp

        return any(join.args.get("method") for join in self._statement.find_all(exp.Join))

    def _column(self, scope: Scope, column: exp.Column) -> None:
        name, source = column.name.lower(), scope.sources.get(column.table)
        if column.table and source is None and scope.is_subquery:
            return  # the statement around it has that table, and this column among its own
        places = [source] if source is not None else scope.sources.values()
        for place in places:
            if (key := self._key(place)) is None:
                continue
            # A table's own name is all of its row; a star that nothing has expanded is all of it, too.
            whole_row = name in scope.sources and name not in self._names[key]
            if whole_row or (name == "*" and scope.is_root):
                self._unknown.add(key)
            else:
                self._columns[key].add(name)

    def _key(self, source: Any) -> str | None:
        from sqlglot import exp

        if not isinstance(source, exp.Table):
            return None
        return self._keys.get((source.db, source.name))
