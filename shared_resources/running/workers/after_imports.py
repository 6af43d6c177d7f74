"""Imported last by the server of the workers: what it has imported by then is never looked through again.

Belongs here: that. Does not belong here: what is imported (`forkserver.py`).

A worker that looks for garbage marks each object that it passes, and would copy every page of memory
that it shares with the server and with the other workers.
"""

import gc

from shared_resources.running.workers.before_imports import IN_THE_SERVER

if IN_THE_SERVER:
    gc.freeze()
    gc.enable()
