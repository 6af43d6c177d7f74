"""Reading a contract: an ODCS 3.2 file, strictly, into a `Contract` or into every finding at once.

Belongs here: the file with the places of what it says, and each part of the standard.
Does not belong here: what is made of what was read (`compiling/`).
"""
