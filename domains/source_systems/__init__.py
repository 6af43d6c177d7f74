"""The company's operational systems, simulated: they put real retail data into the landing zone,
and send receipts to a topic.

Belongs here: what a till, a product master or a campaign tool would send, in that system's format,
taken from the published "Complete Journey" data as it is, dirt included.
Does not belong here: anything that a domain promises (`domains/*/products`) or that reads what
landed (`shared_resources/landing`). No domain imports this package, and it has no `domain.yaml`:
it is outside the mesh, as source systems are.

    python -m domains.source_systems [--to DIR] [--days N]
    python -m domains.source_systems replay [--from DAY] [--days N] [--speed FACTOR | --rate PER_SECOND]
"""
