"""`@data_product`: what a domain developer may write, and what is refused with what words."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from shared_resources import MakingContext, data_product, product_input
from shared_resources.data_products.function import ProductProblem
from tests.cli.commands import readable
from tests.guarantees.orders import COLUMNS
from tests.tiny_mesh import TinyMesh, contract_text, failures


def test_inputs_frames_and_context_are_read_off_the_function() -> None:
    @data_product(orders=product_input("order/orders", ["amount"]), rates="finance/rates")
    def made(orders: str, context: MakingContext, rates) -> None: ...

    assert {name: (i.key, i.columns) for name, i in made.inputs.items()} == {
        "orders": ("order/orders", ("amount",)),
        "rates": ("finance/rates", None),
    }
    assert made.frames == {"orders": str, "rates": None}
    assert made.wants_context


def test_a_function_without_inputs_needs_no_parentheses_and_can_be_called() -> None:
    @data_product
    def made() -> int:
        return 7

    assert (made(), dict(made.inputs), made.wants_context) == (7, {}, False)


EXITING = """
    import sys
    from shared_resources import data_product

    {at_import}
    @data_product
    def made():
        {in_function}
"""


@pytest.mark.parametrize("raised", ["sys.exit(0)", "sys.exit('why')", "raise BaseException('why')"])
def test_code_that_ends_its_process_is_a_product_that_fails(mesh: TinyMesh, raised: str) -> None:
    """When it is imported, the other products of its domain go on; when it is run, others do."""
    text = contract_text("shop/made", COLUMNS)
    mesh.product("shop/made", text, EXITING.format(at_import=raised, in_function="pass"))
    said = mesh.run("shop/made")
    assert not said.success and "the product's code cannot be imported" in failures(said)
    mesh.product("shop/made", text, EXITING.format(at_import="", in_function=raised))
    failed = mesh.run("shop/made")
    assert not failed.success
    assert re.search(
        r"raised (SystemExit|BaseException) \(.*product\.py:\d+\): (0|why)", failures(failed)
    )


def test_parameters_and_keywords_must_match() -> None:
    with pytest.raises(ProductProblem, match=r"made takes \(a, b\) but @data_product names \(a\)"):

        @data_product(a="order/orders")
        def made(a, b) -> None: ...


@pytest.mark.parametrize("key", ["orders", "order/", "Order/orders", "order/orders/x", "a b/c", ""])
def test_malformed_keys_are_refused(key: str) -> None:
    with pytest.raises(ProductProblem, match="no product key; write it as 'domain/product'"):

        @data_product(a=key)
        def made(a) -> None: ...


def test_a_key_without_its_parameter_is_refused() -> None:
    with pytest.raises(ProductProblem, match=r"write @data_product\(name='order/orders'\)"):
        data_product("order/orders")  # type: ignore[call-overload]


def test_what_is_no_key_at_all_is_refused() -> None:
    with pytest.raises(ProductProblem, match="a=7 is no product key"):

        @data_product(a=7)  # type: ignore[arg-type]
        def made(a) -> None: ...


def test_a_type_that_is_imported_for_type_checking_alone_is_told() -> None:
    def made(a) -> None: ...

    made.__annotations__["a"] = "pl.DataFrame"
    assert "pl" not in inspect.getmodule(made).__dict__
    with pytest.raises(ProductProblem, match=r"not imported .*; import it"):
        data_product(a="order/orders")(made)


FUNCTION = """
    from shared_resources import data_product


    @data_product
    def {name}():
        return None
"""


def refused(mesh: TinyMesh, code: str) -> str:
    mesh.product("order/made", contract_text("order/made", COLUMNS), code)
    result = mesh.run("order/made")
    assert not result.success
    said = failures(result)
    readable(said)
    return said


def test_two_functions_in_a_file_are_refused(mesh: TinyMesh) -> None:
    said = refused(mesh, FUNCTION.format(name="one") + FUNCTION.format(name="two"))
    assert "product.py" in said and "2 functions" in said


def test_a_file_without_a_function_is_refused(mesh: TinyMesh) -> None:
    said = refused(mesh, "x = 1\n")
    assert "product.py" in said and "0 functions" in said


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("from math import nothing_of_that_name", "ImportError"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_code_that_cannot_be_imported_is_told_with_its_line(
    mesh: TinyMesh, line: str, what: str
) -> None:
    code = f"{line}\n" + inspect.cleandoc(FUNCTION.format(name="one"))
    said = refused(mesh, code)
    file = Path("domains/order/products/made/product.py")
    assert f"{file}:1: the product's code cannot be imported: {what}" in said
    # Not remembered: a second look says the same, and not that there is no function.
    assert refused(mesh, code) == said
