"""The command line: `mesh`, one module a command, named as the command.

Belongs here: arguments, exit codes, and how a result is shown to a person or printed as JSON.
Does not belong here: what a command does: the other parts of the platform do it, for any caller.
"""
