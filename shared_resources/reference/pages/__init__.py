"""Pages that are made from the code.

Belongs here: what stands on each, and the Markdown that they share.
Does not belong here: which file a page is written to (`files.py`), pages that somebody writes.
"""
