"""Contracts as text, for the tests of the reader: a rich one, and one mistake at a time in it.

Belongs here: what several tests of `contracts/` share. Does not belong here: tests.
"""

from __future__ import annotations

from pathlib import Path

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.odcs import read_contract_text
from shared_resources.findings import Finding, InvalidFile

RICH = Path(__file__).with_name("rich.odcs.yaml")


def rich(*changes: tuple[str, str]) -> str:
    """The rich contract's text with each `(before, after)` replaced once."""
    text = RICH.read_text("utf-8")
    for before, after in changes:
        assert before in text, f"the rich contract has no {before!r}"
        text = text.replace(before, after, 1)
    return text


def read(text: str) -> Contract:
    return read_contract_text(text, Path("contract.odcs.yaml"))


def findings(text: str) -> tuple[Finding, ...]:
    """What is wrong with the contract; empty when it can be read."""
    try:
        read(text)
    except InvalidFile as error:
        return error.findings
    return ()


def column_contract(column: str, *, quality: str = "", extra: str = "") -> str:
    """A contract of one column, given as a YAML flow mapping without the name, e.g. `{...}`."""
    fields = column.strip()[1:-1]
    return f"""
apiVersion: v3.2.0
kind: DataContract
id: order-lines
name: lines
version: 1.0.0
domain: order
servers: [{{server: lake, type: custom}}]
schema:
  - name: lines
    properties:
      - {{name: x, {fields}}}
    quality: [{quality}]
customProperties: [{extra}]
"""


def rule(contract: Contract, name: str) -> Rule:
    (found,) = [rule for rule in contract.rules if rule.name == name]
    return found
