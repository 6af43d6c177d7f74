"""The forms in which a review is told: for people, for GitHub and GitLab, for whatever reads JUnit.

Belongs here: one form a module, made from a `Review` alone. Does not belong here: finding anything.
"""
