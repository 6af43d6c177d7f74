"""The lake's commits: what a version is made on, which files it has, and the one snapshot that is it.

Belongs here: everything that changes a table to publish, with pyiceberg's transactions.
Does not belong here: reading a table (the folder above), which takes no pyiceberg transaction.
"""
