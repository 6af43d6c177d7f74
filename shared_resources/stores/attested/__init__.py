"""Attestations as the stores make them: one with every commit, linked to the one before.

Belongs here: what a store does for them at a commit and at an expiry.
Does not belong here: their form (`evidence/`), verifying them (`attesting/`).
"""
