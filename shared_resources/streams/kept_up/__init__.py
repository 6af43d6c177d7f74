"""Processes of streams beside each other on one machine, kept up until somebody ends them.

Belongs here: starting each, starting it again, ending all.
Does not belong here: what one does (`streams/process.py`), what is started (the command's).
"""
