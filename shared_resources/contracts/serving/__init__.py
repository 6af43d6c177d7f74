"""Serving: what a contract says of point reads by its primary key (a server called `serving`).

Belongs here: the clause's own model, and reading it from the file.
Does not belong here: the ports that are written to (`serving_ports/`), lake and warehouse.
"""
