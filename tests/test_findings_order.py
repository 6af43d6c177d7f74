"""Findings are sorted so that what causes others comes first."""

from __future__ import annotations

from pathlib import Path

from shared_resources.findings import Finding


def test_a_folders_own_files_come_before_what_lies_below_it() -> None:
    wanted = [
        Finding(Path(file), line, "rule", "message", "remedy")
        for file, line in (
            ("domains/governance.yaml", 21),
            ("domains/customer/domain.yaml", 8),
            ("domains/customer/domain.yaml", 9),
            ("domains/customer/products/contacts/contract.odcs.yaml", 17),
            ("domains/customer/products/contacts/agreements/marketing.oaas.yaml", 5),
            ("domains/order/domain.yaml", 1),
            ("domains/order/products/baskets/agreements/marketing.oaas.yaml", 5),
        )
    ]
    shuffled = wanted[::-1]
    assert sorted(shuffled) == wanted
    assert sorted([wanted[0], Finding(Path(), 0, "", "", "")])[0].file == Path()
