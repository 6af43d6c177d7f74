"""The first pipelines that anybody writes: a text in capitals, and its empty lines kept apart.

A text lands line by line; one product has its lines in capitals, another those that the check of the
first dropped, with the reason: what Beam calls a dead letter.
"""

from __future__ import annotations

from tests.tiny_mesh import TinyMesh, column, contract_text, failures

TEXT = "text/lines"
LINES = "text/capitals"
DROPPED = "text/dropped_lines"
COLUMNS = [
    column("number", required=True, primaryKey=True, primaryKeyPosition=1),
    column("line", "VARCHAR"),
]
CHECK = '''
    """Lines of text, checked."""

    from typing import Any

    import apache_beam as beam
    from apache_beam.metrics import Metrics

    from shared_resources import data_product

    EMPTY = Metrics.counter("text", "empty_lines")


    class Check(beam.DoFn):
        """Lines that hold something; the others go to the output `dropped`, with the reason."""

        def process(self, row: dict[str, Any]):
            if row["line"] is None or not row["line"].strip():
                EMPTY.inc()
                yield beam.pvalue.TaggedOutput("dropped", {**row, "reason": "the line is empty"})
            else:
                yield row


    @data_product(engine="beam", lines="text/lines")
    def made(lines: beam.PCollection[dict[str, Any]]) -> beam.PCollection[dict[str, Any]]:
        checked = lines | "check" >> beam.ParDo(Check()).with_outputs("dropped", main="kept")
        return '''
CAPITALS = 'checked.kept | "capitals" >> beam.Map(lambda row: {**row, "line": row["line"].upper()})'


def test_a_text_is_in_capitals_and_its_empty_lines_are_kept_apart(mesh: TinyMesh) -> None:
    landing = {"prefix": TEXT, "format": "jsonl", "mode": "replace", "object": "*.jsonl"}
    mesh.product(TEXT, contract_text(TEXT, COLUMNS, properties={"landing": landing}))
    mesh.product(LINES, contract_text(LINES, COLUMNS), f"{CHECK}{CAPITALS}\n")
    reason = column("reason", "VARCHAR", required=True)
    mesh.product(DROPPED, contract_text(DROPPED, [*COLUMNS, reason]), f"{CHECK}checked.dropped\n")
    texts = ["to be, or", "", "not to be", "   ", "that is ß"]
    mesh.land(
        f"{TEXT}/hamlet.jsonl",
        "".join(f'{{"number": {at}, "line": "{text}"}}\n' for at, text in enumerate(texts, 1)),
    )
    for key in (TEXT, LINES, DROPPED):
        result = mesh.run(key)
        assert result.success, failures(result)
    capitals = {row["number"]: row["line"] for row in mesh.rows(LINES)}
    assert capitals == {1: "TO BE, OR", 3: "NOT TO BE", 5: "THAT IS SS"}
    dropped = {row["number"]: row["reason"] for row in mesh.rows(DROPPED)}
    assert dropped == dict.fromkeys((2, 4), "the line is empty")
    (event,) = result.asset_materializations_for_node("text__dropped_lines")
    assert event.metadata["beam empty_lines"].value == 2
