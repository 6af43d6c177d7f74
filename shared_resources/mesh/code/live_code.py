"""Which stream a product's served rows follow, as its code says it without being run.

Belongs here: `@live(of="domain/product")` in `product.py`.
Does not belong here: the inputs of the function beside it (`product_code.py`), what the class does
(`streams/live/`).
"""

from __future__ import annotations

import ast
from pathlib import Path

from shared_resources.mesh.code.product_code import called, constants_of, parse_python, texts_of
from shared_resources.mesh.model import ProductReference

_DECORATOR = "live"


def read_followed(file: Path) -> tuple[ProductReference, ...]:
    """What is written out; what is not, loading tells, as it does of more than one. A file that is no
    Python has a finding by `read_product_code`."""
    tree, _ = parse_python(file)
    if tree is None:
        return ()
    constants = constants_of(tree)
    found = []
    for node in ast.walk(tree):
        for decorator in node.decorator_list if isinstance(node, ast.ClassDef) else ():
            if isinstance(decorator, ast.Call) and called(decorator) == _DECORATOR:
                for given in decorator.keywords:
                    texts = texts_of(given.value, constants) or ()
                    found += [ProductReference(one, None, file, decorator.lineno) for one in texts]
    return tuple(found)
