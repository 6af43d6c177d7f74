"""Policies about how products and domains fit together: names, keys, references, places.

Belongs here: modules that define `POLICY`; see the folder above.
Does not belong here: what one contract promises (`promises/`).
"""
