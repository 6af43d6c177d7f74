"""Components: what `dg`, Dagster's own tool for projects, finds of the platform.

Belongs here: a domain and a product as components with scaffolders, all domains as one location.
Does not belong here: what the files of a new one say (`scaffolding/`), what a location holds
(`locations/`), the commands of `mesh` (`cli/`).

`dg scaffold defs` writes what `mesh new` writes, and beside it the `defs.yaml` by which `dg` knows a
component. That file decides nothing: a location is what `build_domain` makes of the folder, with its
policies and checks, and `mesh check` refuses a component of any other type below `domains/`.
"""

from shared_resources.components.data_product import DataProduct
from shared_resources.components.domain import Domain

__all__ = ["DataProduct", "Domain"]
