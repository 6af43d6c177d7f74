"""Every policy finds what its examples say that it finds, and nothing where they say that it does not."""

from __future__ import annotations

import pytest

from shared_resources.governance.catalogue import all_policies
from shared_resources.governance.examples.trying import try_policy


@pytest.mark.parametrize("policy", all_policies().values(), ids=lambda policy: policy.name)
def test_a_policy_holds_on_each_of_its_examples(policy):
    assert [one for one in try_policy(policy) if not one.held] == []
