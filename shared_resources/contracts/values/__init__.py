"""Values of a contract's types, whichever frame they come in: exactly those, or refused with a name.

Belongs here: Arrow, pandas, polars and DuckDB columns on their way to a contract's types.
Does not belong here: landed text (`landing/`), which columns there are.
"""
