"""Serving: webserver, daemon and each domain's code server, kept up on one machine.

Belongs here: what runs under the supervisor, beside each other and one after the other, and how it ends.
Does not belong here: building what is served, and deciding whether it may be (`releasing/`).
"""
