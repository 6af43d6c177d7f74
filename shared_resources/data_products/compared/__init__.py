"""What is published beside what the files say now.

Belongs here: whether what readers see was audited, what a change of contract would break, and what
was rejected and still stands.
Does not belong here: changing any of it.
"""
