"""Policy: what a gate writes to is written by that gate alone, and read in circles by nobody.

Belongs here: this one rule, over the topics that the contracts of a mesh name.
Does not belong here: the topics of one contract among each other (`contracts/reading/`), who may read a
topic (the log's own ACLs).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared_resources.contracts.streams.model import Stream
from shared_resources.findings import Finding
from shared_resources.governance.example import Changes, fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh, ProductFolder

NAME = "topics_apart"
_Streams = Sequence[tuple[ProductFolder, Stream]]
_OWN = "give it a topic of its own"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """Of two gates with one topic each passes what the other's contract refuses."""
    streams = [
        (product, contract.stream)
        for other in mesh.domains
        for product, contract in other.contracts
        if contract.stream is not None
    ]
    for product, contract in domain.contracts:
        if contract.stream is not None:
            yield from _of_a_stream(product, contract.stream, streams)


def _of_a_stream(product: ProductFolder, stream: Stream, streams: _Streams) -> Iterator[Finding]:
    for what, topic in _written(stream):
        for other, theirs in streams:
            if other.folder == product.folder:
                continue
            for whose, same in _written(theirs):
                if same == topic:
                    said = f"its {what} topic {topic!r} is also the {whose} topic of {other.key}"
                    yield _finding(product, stream, said, _OWN)
            if theirs.topic == topic and other.domain != product.domain:
                yield _finding(
                    product,
                    stream,
                    f"its {what} topic {topic!r} is what {other.key} is made of, and no agreement is "
                    "asked there",
                    f"make {other.key} of the product {product.key}, by an agreement, or {_OWN}",
                )
        if stream.topic in _reached(topic, streams):
            said = f"what comes to its {what} topic {topic!r} comes back to {stream.topic!r}"
            yield _finding(product, stream, f"{said}: each message goes in a circle for ever", _OWN)


def _written(stream: Stream) -> tuple[tuple[str, str], ...]:
    gate = stream.gate.topic if stream.gate is not None else ""
    undecided = stream.gate.undecided if stream.gate is not None else ""
    named = (
        ("gate's", gate),
        ("deadLetters", stream.dead_letters),
        ("gate's undecided", undecided),
    )
    return tuple((what, topic) for what, topic in named if topic)


def _reached(topic: str, streams: _Streams) -> set[str]:
    """The topics to which messages of this one are passed on, by one gate or several."""
    reached: set[str] = set()
    ahead = [topic]
    while ahead:
        at = ahead.pop()
        onwards = {to for _, one in streams if one.topic == at for _, to in _written(one)}
        ahead += onwards - reached
        reached |= onwards
    return reached


def _finding(product: ProductFolder, stream: Stream, message: str, remedy: str) -> Finding:
    return Finding(product.contract_file, stream.line, NAME, f"{product.key}: {message}", remedy)


def _stream(topic: str, gate: str = "", dead: str = "") -> Changes:
    value: dict[str, object] = {"topic": topic, "format": "json"}
    value |= {"gate": {"topic": gate}} if gate else {}
    value |= {"deadLetters": {"topic": dead}} if dead else {}
    return {
        "customProperties.stream": {"vendor": "mesh", "value": value},
        "customProperties.lossBudgetPercent": {"vendor": "mesh", "value": 5},
    }


_ORDERS = _stream("orders", "orders.good", "orders.bad")

EXAMPLES = (
    passes("two products of one topic", contract=_ORDERS, others={"shop/lines": _stream("orders")}),
    passes(
        "a product of what a gate of its own domain passes",
        contract=_ORDERS,
        others={"shop/lines": _stream("orders.good", "lines.good")},
    ),
    fails(
        "two gates to one topic",
        "gate's topic 'orders.good' is also the gate's topic of shop/lines",
        contract=_ORDERS,
        others={"shop/lines": _stream("lines", "orders.good")},
    ),
    fails(
        "dead letters among what keeps another contract",
        "deadLetters topic 'orders.bad' is also the gate's topic of shop/lines",
        contract=_ORDERS,
        others={"shop/lines": _stream("lines", "orders.bad")},
    ),
    fails(
        "what a gate passes is another domain's product",
        "is what crm/orders is made of, and no agreement is asked",
        contract=_ORDERS,
        others={"crm/orders": _stream("orders.good")},
    ),
    fails(
        "two gates in a circle",
        "comes back to 'orders': each message goes in a circle",
        contract=_ORDERS,
        others={"shop/lines": _stream("orders.good", "orders")},
    ),
)

POLICY = LoadTimePolicy(
    NAME,
    "A gate's topics are no other gate's, no other domain's products are made of them, none leads back.",
    check,
    examples=EXAMPLES,
)
