"""Reference: pages and schemas that are made from the code, so that they say what it does.

Belongs here: pages (`pages/`), JSON Schemas (`schemas/`), the words that no name may lack
(`described.py`), one command that writes them all (`__main__.py`, `files.py`).
Does not belong here: pages that somebody writes (`docs/`), and deciding what any of it means.
"""
