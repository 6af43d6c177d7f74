"""`mesh run`: products in dependency order, each domain's in a process of its own.

Belongs here: which products and which of their parts are to be made, in which order, by which
process, and what each run came to.
Does not belong here: making a product (`locations/`, `data_products/`), the display (`cli/`).
"""
