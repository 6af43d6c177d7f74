"""What a domain developer writes in `product.py`: a function, where its inputs come from, and which
rows follow messages.

Belongs here: the decorators `data_product` and `live`, `product_input`, and what a function may return.
Does not belong here: turning it into a Dagster asset (`locations/product_asset.py`) or running it
(`data_products/makers/making.py`).
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared_resources.mesh.code.engines import ENGINES
from shared_resources.mesh.model import is_product_key, pin_of
from shared_resources.problems import MeshProblem

CONTEXT = "context"
PUBLISHED = "published"


class ProductProblem(MeshProblem):
    """A product's code cannot be used; the message names the function and what to do."""

    exit_code = 2


@dataclass(frozen=True)
class ProductInput:
    """A published product that a function reads: `key` is `domain/product`; None means all columns."""

    key: str
    columns: tuple[str, ...] | None = None


def product_input(key: str, columns: Sequence[str] | None = None) -> ProductInput:
    """An input of which only `columns` are read; `domain/product@1` pins a major version of it.

    Raises `ProductProblem` for a malformed key.
    """
    if not is_product_key(key) and pin_of(key) is None:
        raise ProductProblem(f"{key!r} is no product key; write it as 'domain/product'")
    return ProductInput(key, tuple(columns) if columns is not None else None)


@dataclass(frozen=True)
class Produced:
    """A function's result with numbers to show beside every version.

    `metadata` holds JSON values, or numpy's for them; the platform's own names are not to be used.
    """

    frame: Any
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class MakingContext:
    """What a function learns about its run when it has a parameter named `context`.

    `partitions` are the partition keys to make, `("",)` for a product without partitions.
    """

    product: str
    run_id: str
    partitions: tuple[str, ...]


@dataclass(frozen=True)
class ProductFunction:
    """A decorated function. `inputs` maps parameters to products, `frames` to annotated types.

    `engine` carries out what it returns; empty where it returns its rows.
    """

    function: Callable[..., Any]
    inputs: Mapping[str, ProductInput]
    frames: Mapping[str, Any]
    wants_context: bool
    engine: str = ""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


@dataclass(frozen=True)
class LiveRows:
    """A decorated class. `of` is the product of whose messages its rows follow, `reads` the parameters of
    its constructor beside `published`, and `frames` the types that those are annotated with."""

    made_by: type
    of: str
    reads: tuple[str, ...]
    frames: Mapping[str, Any]


Decorator = Callable[[Callable[..., Any]], ProductFunction]


@typing.overload
def data_product(_function: Callable[..., Any], /) -> ProductFunction: ...
@typing.overload
def data_product(*, engine: str = "", **inputs: str | ProductInput) -> Decorator: ...
def data_product(
    _function: Callable[..., Any] | None = None,
    /,
    *,
    engine: str = "",
    **inputs: str | ProductInput,
) -> ProductFunction | Decorator:
    """Make a function the maker of its folder's product.

        @data_product(transactions="order/transactions")
        def baskets(transactions: pl.LazyFrame) -> pl.LazyFrame: ...

    Each keyword names a parameter and the product that it receives, as the type that the parameter
    is annotated with: pandas (the default) or polars frame, Arrow table, stream of record batches.
    The contract beside the function says the rest. With `engine="beam"` the parameters are
    collections of a pipeline (`beam.PCollection`), and so is what the function returns. Raises
    `ProductProblem` when parameters and inputs do not match.
    """
    if engine and engine not in ENGINES:
        raise ProductProblem(
            f"@data_product(engine={engine!r}): engine says what carries the function out, "
            f"{' or '.join(map(repr, ENGINES))}; leave it out for Python, and call an input otherwise"
        )

    if _function is not None and not inspect.isfunction(_function):
        raise ProductProblem(
            f"@data_product({_function!r}) names no parameter; write @data_product(name={_function!r})"
        )

    def decorate(function: Callable[..., Any]) -> ProductFunction:
        parameters = [name for name in inspect.signature(function).parameters if name != CONTEXT]
        if sorted(parameters) != sorted(inputs):
            raise ProductProblem(
                f"{function.__module__}.{function.__name__} takes ({', '.join(parameters)}) but "
                f"@data_product names ({', '.join(inputs)}); each parameter needs its product key"
            )
        hints = _annotations(function)
        return ProductFunction(
            function=function,
            inputs={name: _as_input(name, given) for name, given in inputs.items()},
            frames={name: hints.get(name) for name in parameters},
            wants_context=CONTEXT in inspect.signature(function).parameters,
            engine=engine,
        )

    return decorate(_function) if _function is not None else decorate


def live(*, of: str) -> Callable[[type], LiveRows]:
    """Let the served rows of the file's product follow the messages of the stream product `of`.

        @live(of="order/purchases")
        class Following:
            def __init__(self, published: pl.DataFrame, transactions: pl.LazyFrame) -> None: ...
            def update(self, rows: pl.DataFrame) -> pl.DataFrame: ...

    The constructor is given the served version itself as `published`, and, by the names that they have
    with `@data_product`, the inputs that it names, at the versions that the served one was made of.
    `update` is given rows of `of` as the agreement shows them, and returns rows of the product to be put
    into the place of those of the same key: all of the contract's columns. The first rows that it is
    given are those that are published, in any order; then those of each partition come in their order.
    What a row says may depend on the model and on which rows of its key were given, and on nothing else:
    after a restart they are given again, in other portions. Raises `ProductProblem` for another class.
    """
    if not is_product_key(of):
        raise ProductProblem(f"@live(of={of!r}): that is no product key; write 'domain/product'")

    def decorate(made_by: type) -> LiveRows:
        name = f"{made_by.__module__}.{made_by.__name__}"
        if not callable(getattr(made_by, "update", None)):
            raise ProductProblem(f"{name} has no method update(rows); @live asks it what changes")
        parameters = [one for one in inspect.signature(made_by).parameters if one != PUBLISHED]
        hints = _annotations(made_by.__init__)  # type: ignore[misc]
        named = (PUBLISHED, *parameters)
        frames = {one: hints[one] for one in named if one in hints}
        return LiveRows(made_by, of, tuple(parameters), frames)

    return decorate


def _as_input(parameter: str, given: object) -> ProductInput:
    if isinstance(given, ProductInput):
        return given
    if not isinstance(given, str):
        raise ProductProblem(
            f"{parameter}={given!r} is no product key; write it as 'domain/product', or with "
            "product_input() to read some of its columns"
        )
    return product_input(given)


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotated types. They are looked up when the location loads, unlike a type checker's."""
    try:
        return typing.get_type_hints(function)
    except NameError as problem:
        raise ProductProblem(
            f"{function.__module__}.{function.__name__} is annotated with a type that is not "
            f"imported ({problem}); import it, and not only for type checking"
        ) from problem
