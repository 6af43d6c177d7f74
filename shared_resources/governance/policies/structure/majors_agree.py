"""Policy: two major versions of a product agree with each other, and a pin leads to the one it names.

Belongs here: this one rule, for `previousMajor` in contracts and pins (`order/baskets@1`) in code.
Does not belong here: a sunset that is over (`mesh/majors.py`), which stops nobody.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.contracts.promise import major
from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh, ProductFolder
from shared_resources.mesh.model import pin_of

NAME = "majors_agree"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """A pin that leads to another major would hand a consumer what it said that it cannot read."""
    known = {product.key: product for product in mesh.products}
    for product in domain.products:
        yield from _previous(product, known)
        for given in product.inputs:
            pin, target = pin_of(given.pin), known.get(given.key)
            if pin is None or target is None or target.contract is None:
                continue
            if (now := target.contract.version) and major(now) != pin[1]:
                message = (
                    f"{product.key} pins {given.pin}, and {given.key} is of version {now}; there is "
                    f"no {pin[0]}_v{pin[1]}"
                )
                remedy = f"write {pin[0]}@{major(now)} once the product can read it"
                yield Finding(given.file, given.line, NAME, message, remedy)


def _previous(product: ProductFolder, known: dict[str, ProductFolder]) -> Iterator[Finding]:
    contract = product.contract
    previous = contract.previous_major if contract is not None else None
    if contract is None or previous is None:
        return
    key = f"{product.domain}/{previous.of}"
    current = known[key].contract if key in known else None
    line = previous.line
    if key not in known:
        message = f"{product.key} is an earlier version of {key}, which is not there"
        yield Finding(product.contract_file, line, NAME, message, "correct `of`, or take it out")
    elif current is not None and major(current.version) <= major(contract.version):
        message = (
            f"{product.key} of version {contract.version} is no earlier major version of {key}, which "
            f"is of {current.version}"
        )
        remedy = f"raise {key} to version {major(contract.version) + 1}.0.0"
        yield Finding(product.contract_file, line, NAME, message, remedy)


_EARLIER = {"of": "orders", "sunset": "2030-12-31"}


def _v1(version: str = "1.4.0") -> dict[str, object]:
    return {
        "version": version,
        "customProperties": [{"property": "previousMajor", "vendor": "mesh", "value": _EARLIER}],
    }


EXAMPLES = (
    passes(
        "the current one is of a later major version",
        contract={"version": "2.0.0"},
        others={"shop/orders_v1": _v1()},
    ),
    fails(
        "both are of one major version",
        "no earlier major version of shop/orders",
        contract={"version": "1.5.0"},
        others={"shop/orders_v1": _v1()},
    ),
    fails(
        "a pin leads to no product of that major version",
        "there is no shop/lines_v1",
        others={"shop/lines": {"version": "2.0.0"}},
        files={
            "product.py": "from shared_resources import data_product\n\n\n"
            '@data_product(lines="shop/lines@1")\ndef orders(lines):\n    return lines\n'
        },
    ),
)

POLICY = LoadTimePolicy(
    NAME,
    "Two major versions of a product agree, and a pin leads to the one that it names.",
    check,
    # Whoever pins would read rows of another shape.
    waivable=False,
    examples=EXAMPLES,
)
