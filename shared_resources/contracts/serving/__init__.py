"""Serving: what a contract says of point reads by its primary key (a server called `serving`).

Belongs here: the clause's own model. Does not belong here: reading it from the file
(`contracts/reading/governed/serving.py`), the ports that are written to (`serving_ports/`).
"""
