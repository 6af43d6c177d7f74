"""The command line: `mesh`.

Belongs here: the front door (`main.py`), and what its commands share: tables, JSON, words on a
terminal, the progress display, who calls.
Does not belong here: a command (`commands/`), and what one does: the other rooms do it, for any caller.
"""
