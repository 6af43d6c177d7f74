"""Worker processes of `mesh run`: one a domain, forked from a server that has imported the libraries.

Belongs here: that server, a domain's process, and the handle that the engine has of it.
Does not belong here: which product is next (`running/engine.py`), how a product is executed
(`running/execution.py`).

A domain in a process of its own: one that does not load, crashes or is killed ends alone.
"""
