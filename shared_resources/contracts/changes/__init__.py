"""What changes between two versions of a contract, and what each change does to readers.

Belongs here: the direction of every clause that is enforced.
Does not belong here: who reads the product, refusing a publication (`data_products/compared/`), refusing
a change (`reviewing/`, `releasing/`).
"""
