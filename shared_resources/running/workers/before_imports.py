"""Imported first by the server of the workers: no look for garbage while it imports.

Belongs here: that. Does not belong here: what is imported (`forkserver.py`).

Modules stay. Looking through them again and again took a fifth of the time that importing them takes.
"""

import gc
import sys

IN_THE_SERVER = any("multiprocessing.forkserver" in word for word in sys.orig_argv)

if IN_THE_SERVER:
    gc.disable()
