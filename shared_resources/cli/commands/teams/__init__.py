"""Commands with which domain teams begin, and later ship, what is theirs.

Belongs here: one module a command. Does not belong here: running and reading products (`cli/commands/`).
"""
