"""The commands of `mesh`, one module a command, named as the command.

Belongs here: arguments, exit codes, and how a result is shown to a person or printed as JSON.
Does not belong here: what a command does: the rooms below do it, for any caller.
"""
