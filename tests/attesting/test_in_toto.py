"""The statement and its envelope are what stock tools of in-toto take: nothing here is our own code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf.json_format import Parse
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as Message
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from tests.attesting.attested import KEY, Attested
from tests.cli.commands import call


def exported(file: Path, *options: Any) -> Envelope:
    assert call("evidence", KEY, "--statement", file, *options).code == 0
    return Envelope.from_dict(json.loads(file.read_bytes()))


def key(pem: Path, key_id: str) -> SSlibKey:
    return SSlibKey.from_crypto(load_pem_public_key(pem.read_bytes()), key_id)


def test_stock_tools_verify_the_envelope(attested: Attested, tmp_path: Path) -> None:
    envelope = exported(tmp_path / "statement.json")
    ours = attested.signer.key_id
    assert ours in envelope.verify([key(attested.keys / "public" / "mesh.pem", ours)], 1)
    with pytest.raises(VerificationError):
        envelope.verify([key(attested.keys / "stranger.pem", ours)], 1)


@pytest.mark.parametrize("number", [1, 4, 5])
def test_stock_tools_take_the_statement(attested: Attested, tmp_path: Path, number: int) -> None:
    payload = exported(tmp_path / "statement.json", "--version", number).payload
    message = Parse(payload, Message())
    statement = Statement.copy_from_pb(message)
    statement.validate()
    names = [subject.name for subject in message.subject]
    assert names[0] == f"{KEY}@{number} in the lake"
    assert all(len(subject.digest["sha256"]) == 64 for subject in message.subject)
    assert len(names) == 2
