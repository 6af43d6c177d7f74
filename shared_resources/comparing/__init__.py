"""A mesh's contracts beside those of another time: what changes, and whom it hits.

Belongs here: the other time (a commit, what is published, what is deployed), and the verdict on each
product.
Does not belong here: which change breaks readers (`contracts/changes/`), refusing one (`reviewing/`,
`releasing/`, `stores/`).
"""
