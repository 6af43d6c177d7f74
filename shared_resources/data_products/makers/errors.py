"""Errors of a product's own code, fit to be shown: where columns are classified, without their values.

Belongs here: which errors are withheld, and what is said in their place.
Does not belong here: which words may be said (`confinement/withholding.py`), dbt's
(`data_products/dbt/messages.py`).

Dagster keeps an error with all that caused it, in its databases and logs. So what is raised instead is
not linked to the error that it stands for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb

from dagster import DagsterExecutionInterruptedError

from shared_resources.confinement.withholding import withheld, words_of, words_of_files
from shared_resources.data_products.batch import Attempt
from shared_resources.data_products.beam import failures
from shared_resources.data_products.beam.failures import Failure, PipelineFailed
from shared_resources.data_products.function import ProductProblem
from shared_resources.mesh import read_product
from shared_resources.problems import MeshProblem

_LONGEST = 600
_WITHHELD = (
    "\n(what may be a value is ***: columns of the product, or of what it reads, are classified)"
)


class ProductCodeFailed(MeshProblem):
    """The product's function raised an error; the message says which, where, and no value."""


@contextmanager
def withheld_where_classified(attempt: Attempt) -> Iterator[None]:
    """Raise `ProductCodeFailed` for whatever the code below raises, if values may be classified.

    `ProductProblem` is the platform's own and masks by itself. What would end the process
    (`sys.exit`) is an error of the code like others; only who interrupts the run is heard.
    """
    try:
        yield
    except (ProductProblem, KeyboardInterrupt, DagsterExecutionInterruptedError):
        raise
    except PipelineFailed as problem:
        raise ProductCodeFailed(_of_pipeline(attempt, problem.failure)) from None
    except BaseException as problem:
        if not _classified(attempt):
            if isinstance(problem, Exception):
                raise
            raise ProductCodeFailed(_as_it_is(attempt, problem)) from problem
        raise ProductCodeFailed(_said(attempt, problem)) from None


def _of_pipeline(attempt: Attempt, failure: Failure) -> str:
    """What failed in a pipeline, whose workers may be anywhere: only words came of it."""
    step = f" in the transform {failure.step!r}" if failure.step else ""
    place = f" ({failure.place})" if failure.place else ""
    text = failure.text[:_LONGEST]
    said = f"the pipeline of {attempt.definition.key} failed{step}: {failure.kind}{place}: "
    if not _classified(attempt):
        return said + text
    known = _known_words(attempt) | words_of_files(Path(failures.__file__).parent)
    return f"{said}{withheld(text, known)}{_WITHHELD}"


def text_of(problem: BaseException) -> str:
    """Its text; a domain's own class may fail at that, too."""
    try:
        return str(problem)
    except Exception as another:  # noqa: BLE001 - it is anybody's code
        return f"(its text cannot be had: {type(another).__name__})"


def _classified(attempt: Attempt) -> bool:
    """Whether the product, or anything that it reads, has a column whose values nobody may show."""
    read = (read_product(attempt.environment, key) for key in attempt.inputs)
    contracts = [attempt.contract, *(one.contract if one else None for one in read)]
    return any(contract is None or contract.classified_columns for contract in contracts)


def _as_it_is(attempt: Attempt, problem: BaseException) -> str:
    text = text_of(problem)[:_LONGEST]
    return f"the function of {attempt.definition.key} raised {_kind(attempt, problem)}: {text}"


def _kind(attempt: Attempt, problem: BaseException) -> str:
    """The error's class, and where in the product's code it was raised."""
    folder = attempt.definition.folder
    frames = [f for f in extract_tb(problem.__traceback__) if f.filename.startswith(str(folder))]
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(problem).__name__}{place}"


def _said(attempt: Attempt, problem: BaseException) -> str:
    text = withheld(text_of(problem)[:_LONGEST], _known_words(attempt))
    return f"the function of {attempt.definition.key} raised {_kind(attempt, problem)}: {text}{_WITHHELD}"


def _known_words(attempt: Attempt) -> frozenset[str]:
    names = words_of(*(column.name for column in attempt.contract.columns))
    return words_of_files(attempt.definition.folder) | names
