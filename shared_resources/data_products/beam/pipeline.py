"""Carrying out a product's pipeline: inputs as collections, the author's transforms, files at the end.

Belongs here: building and running the pipeline, its counters, stopping it.
Does not belong here: which runner (`settings.py`), what is read (`input_files.py`), the frame that is
made of what was written (`output_files.py`).
"""

from __future__ import annotations

import importlib
import logging
import sys
import typing
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import apache_beam as beam
import pyarrow as pa
from apache_beam.internal.cloudpickle import cloudpickle
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.subprocess_server import JavaJarServer

from shared_resources.data_products.beam import transforms
from shared_resources.data_products.beam.elsewhere import fetched, sent
from shared_resources.data_products.beam.failures import PipelineFailed, failure_of
from shared_resources.data_products.beam.input_files import InputFiles
from shared_resources.data_products.beam.output_files import output_of
from shared_resources.data_products.beam.settings import BeamSettings, BeamUnusable
from shared_resources.data_products.function import (
    CONTEXT,
    MakingContext,
    Produced,
    ProductFunction,
    ProductProblem,
)

_MODULES = {
    "FnApiRunner": "apache_beam.runners.portability.fn_api_runner",
    "PrismRunner": "apache_beam.runners.portability.prism_runner",
    "FlinkRunner": "apache_beam.runners.portability.flink_runner",
    "SparkRunner": "apache_beam.runners.portability.spark_runner",
    "PortableRunner": "apache_beam.runners.portability.portable_runner",
    "DataflowRunner": "apache_beam.runners.dataflow.dataflow_runner",
}
_ELEMENTS: Mapping[Any, str] = {
    None: transforms.TABLES,
    Any: transforms.TABLES,
    pa.Table: transforms.TABLES,
    pa.RecordBatch: transforms.BATCHES,
    dict: transforms.ROWS,
}
_TYPES: Mapping[str, Any] = {
    transforms.TABLES: pa.Table,
    transforms.BATCHES: pa.RecordBatch,
    transforms.ROWS: dict[str, Any],
}
_SILENT = logging.CRITICAL + 1


@dataclass(frozen=True)
class Work:
    """A product's pipeline. `code` is the product's folder, `scratch` a folder of this process that is
    there for it alone; `shared` is where workers elsewhere find what would be in it."""

    product: str
    function: ProductFunction
    inputs: Mapping[str, InputFiles]
    context: MakingContext
    settings: BeamSettings
    code: Path
    scratch: Path
    shared: str = ""


def carry_out(work: Work) -> Produced:
    """Run the pipeline to its end: the frame that it wrote, its counters as metadata.

    Raises `PipelineFailed` when a transform fails, `BeamUnusable` when the runner cannot be used,
    `ProductProblem` for what the function may not return, and whatever it raises itself.
    """
    elements = {name: _element(work, name) for name in work.inputs}
    output = work.scratch / "output"
    output.mkdir(parents=True)
    with ExitStack() as held:
        held.enter_context(_quiet())
        options = PipelineOptions(list(work.settings.options))
        inputs = work.inputs
        if work.shared:
            inputs = held.enter_context(sent(inputs, work.shared, options))
        if not work.settings.in_process:
            held.enter_context(_pickled_by_value(work.function))
        place = f"{work.shared}/output" if work.shared else str(output)
        pipeline = beam.Pipeline(runner=_runner(work.settings.runner), options=options)
        arguments = {
            name: pipeline | f"mesh reads {name}" >> _Read(files, elements[name])
            for name, files in inputs.items()
        }
        if work.function.wants_context:
            arguments[CONTEXT] = work.context
        produced = _returned(work, pipeline, work.function(**arguments))
        produced.frame | "mesh writes" >> _Write(place)
        counters = _run(work, pipeline)
        if work.shared:
            fetched(place, output)
    metadata = {"beam runner": work.settings.runner, **counters, **produced.metadata}
    return Produced(output_of(work.product, output), metadata)


class _Read(beam.PTransform):  # type: ignore[misc]
    def __init__(self, files: InputFiles, given: str) -> None:
        super().__init__()
        self._files = files
        self._given = given

    def expand(self, begin: Any) -> Any:
        read = beam.ParDo(transforms.ReadRows(self._files.schema, self._given))
        pieces = begin.pipeline | "files" >> beam.Create(list(self._files.pieces))
        # Without it one worker would read all of them.
        return (
            pieces
            | "shared out" >> beam.Reshuffle()
            | "rows" >> read.with_output_types(_TYPES[self._given])
        )


class _Write(beam.PTransform):  # type: ignore[misc]
    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place

    def expand(self, made: Any) -> Any:
        return (
            made
            | "of any window" >> beam.WindowInto(GlobalWindows())
            | "files" >> beam.ParDo(transforms.WriteRows(self._place)).with_output_types(str)
            | "names" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
            | "manifest" >> beam.ParDo(transforms.WriteManifest(self._place))
        )


def _element(work: Work, name: str) -> str:
    """What the collection of an input holds, by its annotation: `PCollection[pa.Table]` and so on."""
    hint = work.function.frames[name]
    inside = hint
    if typing.get_origin(hint) is beam.PCollection:
        (inside,) = typing.get_args(hint)
    elif hint is beam.PCollection:
        inside = None
    inside = typing.get_origin(inside) or inside
    if inside not in _ELEMENTS or (hint is inside and hint is not None and hint is not Any):
        raise ProductProblem(
            f"{work.product}: {name} is annotated with {hint!r}, which no pipeline is given; write "
            "beam.PCollection[pa.Table], [pa.RecordBatch], or [dict[str, Any]] for single rows"
        )
    return _ELEMENTS[inside]


def _returned(work: Work, pipeline: Any, result: Any) -> Produced:
    produced = result if isinstance(result, Produced) else Produced(result)
    made = produced.frame
    if not isinstance(made, beam.PCollection) or made.pipeline is not pipeline:
        what = "None" if made is None else f"a {type(made).__name__}"
        raise ProductProblem(
            f"the function of {work.product} returned {what}; with engine='beam' it returns a "
            "PCollection that it made of its inputs, of Arrow tables, record batches or rows"
        )
    if not made.is_bounded:
        raise ProductProblem(
            f"{work.product}: its pipeline reads without end; a version is made of what is published"
        )
    return produced


def _runner(name: str) -> Any:
    _refuse_downloads()
    try:
        return getattr(importlib.import_module(_MODULES[name]), name)()
    except ImportError as problem:
        raise BeamUnusable(
            f"{name} cannot be imported: {problem}; install the extra of apache-beam that has it"
        ) from None


def _run(work: Work, pipeline: Any) -> dict[str, Any]:
    try:
        result = pipeline.run()
    except Exception as problem:  # noqa: BLE001 - of the runner, or of the author's transforms
        _failed(work, problem)
    try:
        state = result.wait_until_finish()
    except Exception as problem:  # noqa: BLE001
        _failed(work, problem)
    except BaseException:
        result.cancel()  # a person ended the run: whoever works elsewhere is told
        raise
    if state != "DONE":
        raise BeamUnusable(f"{work.product}: {work.settings.runner} ended its pipeline as {state}")
    return _counters(result)


def _failed(work: Work, problem: Exception) -> NoReturn:
    if isinstance(problem, ProductProblem):
        raise problem
    raise PipelineFailed(failure_of(problem, work.code)) from None


def _counters(result: Any) -> dict[str, Any]:
    """The pipeline's own counters, summed over its steps, by name."""
    found: dict[tuple[str, str], Any] = {}
    metrics = result.metrics().query()
    for one in metrics["counters"]:
        named = (one.key.metric.namespace, one.key.metric.name)
        found[named] = found.get(named, 0) + int(one.result or 0)
    for one in metrics["distributions"]:
        named, value = (one.key.metric.namespace, one.key.metric.name), one.result
        shown = {"count": value.count, "sum": value.sum, "min": value.min, "max": value.max}
        found[named] = shown
    for one in metrics["gauges"]:
        found[one.key.metric.namespace, one.key.metric.name] = one.result.value
    names = [name for _, name in found]
    return {
        f"beam {name}" if names.count(name) == 1 else f"beam {namespace}/{name}": value
        for (namespace, name), value in sorted(found.items())
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Beam's own logging would show tracebacks with the values that a transform failed at; what fails
    is told once, and what may be a value is withheld."""
    logger = logging.getLogger("apache_beam")
    before = logger.level
    logger.setLevel(_SILENT)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _pickled_by_value(function: ProductFunction) -> Iterator[None]:
    """Workers in other processes have Beam, and neither the domain's folder nor the platform."""
    own = str(function.function.__module__).split(".")[:2]
    modules = [transforms]
    modules += [one for name, one in sys.modules.items() if name.split(".")[:2] == own]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def _refuse_downloads() -> None:
    """Transforms of other languages have Beam fetch their server's jar."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise BeamUnusable(
            "a transform of another language would download its server; start one and name its "
            "address as the transform's expansion_service"
        )

    JavaJarServer._download_jar_to_cache = refuse
