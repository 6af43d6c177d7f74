"""Access agreements: who may read a product in which roles, for what, and until when.

Belongs here: the type, the one adapter to the standard's files, and finding them beside a product.
Does not belong here: what a role sees (`contracts/roles/`), whether an agreement holds and whom it
serves (`access/`).

The files are of Bitol's Open Access Agreement Standard (OAAS, RFC 0056), a draft: version 0.9.0 is
read, and nothing but `oaas.py` knows its fields.
"""
