"""What a contract says for governance: where its columns come from, and what readers see of them.

Belongs here: reading origins and roles. Does not belong here: holding anybody to them.
"""
