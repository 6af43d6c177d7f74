"""Whether rows of a process fit the version that is served, when contracts change meanwhile.

Belongs here: that question. Does not belong here: the rules of a row (`writing.py`), what is granted of
the stream and by which contract (`granted.py`).
"""

from __future__ import annotations

from shared_resources.contracts.promise import aliases, goes_back
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.environment import Environment
from shared_resources.mesh.read import read_product
from shared_resources.serving_ports.port import Generation
from shared_resources.streams.live.making import OtherContract


def other_contract(
    environment: Environment, definition: ProductDefinition, served: Generation
) -> str:
    """Why rows by the definition do not fit what is served, if they do not. Raises `OtherContract` when
    it is the definition that is of yesterday: rows are held to rules by it that hold no more."""
    own = definition.contract
    folder = read_product(environment, definition.key, anew=False)
    now = folder.contract if folder is not None else None
    changed = now is not None and now.digest != own.digest
    if changed or goes_back(served.contract_version, own.version):
        raise OtherContract(
            f"{definition.key}: its contract was changed since this process began; start "
            "`mesh stream live` again"
        )
    known = {*aliases(own), *(column.name for column in own.columns)}
    lacking = [name for name in served.types if name not in known]
    if not lacking:
        return ""
    return (
        f"version {served.version} has {', '.join(lacking)}, which the contract has no more; it waits "
        "for a version under the contract of today"
    )
