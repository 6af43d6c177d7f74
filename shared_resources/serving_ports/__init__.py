"""Serving ports: a product's current version, written to a store that finds one row by its key at once.

Belongs here: the port (`port.py`), its implementations, keeping them on the current version
(`following.py`), reading a row under an agreement (`reading.py`), and the HTTP server in front (`http/`).
Does not belong here: lake and warehouse (`stores/`), what is granted (`access/`), code servers
(`serving/`).

A version is a generation here: written beside the current one, counted, compared, and then made the
current one by one pointer. Readers see one generation or the other.
"""
