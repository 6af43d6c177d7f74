"""What a runner says of a failure, read: of one in this process, and of text from another."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.data_products.beam.failures import failure_of

PRODUCT = Path("/mesh/domains/sales/products/large")
# As Prism and workers in other processes give it, shortened.
TEXT = """bundle inst003 stage-003 failed:Traceback (most recent call last):
  File "apache_beam/runners/common.py", line 1512, in apache_beam.runners.common.DoFnRunner.process
  File "/mesh/domains/sales/products/large/product.py", line 9, in process
    raise ValueError(f"bad value {x}")
ValueError: bad value 3
second line

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/site-packages/apache_beam/runners/worker/sdk_worker.py", line 310, in _execute
    response = task()
               ^^^^^^
  File "/mesh/domains/sales/products/large/product.py", line 9, in process
    raise ValueError(f"bad value {x}")
ValueError: bad value 3
second line [while running 'my check']
"""


def test_the_last_traceback_of_a_text_is_read() -> None:
    failure = failure_of(RuntimeError(TEXT), PRODUCT)
    assert (failure.kind, failure.step) == ("ValueError", "my check")
    assert failure.text == "bad value 3\nsecond line"
    assert failure.place == f"{PRODUCT}/product.py:9"


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ('Traceback (most recent call last):\n  File "x", line 1\nshop.Odd: 1\n', "Odd", "1"),
        (
            'Traceback (most recent call last):\n  File "x", line 1\nMemoryError\n',
            "MemoryError",
            "",
        ),
    ],
)
def test_texts_that_say_less(text: str, kind: str, said: str) -> None:
    failure = failure_of(RuntimeError(text), PRODUCT)
    assert (failure.text, failure.place, failure.step) == (said, "", "")
    assert failure.kind == kind


def test_an_error_in_this_process_keeps_its_class_and_loses_the_step() -> None:
    failure = failure_of(KeyError("amount [while running 'a/b']"), PRODUCT)
    assert (failure.kind, failure.step, failure.place) == ("KeyError", "a/b", "")
    assert "while running" not in failure.text
