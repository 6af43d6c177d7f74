"""Which rows of a frame share a key: the form for frames of rules about keys.

Belongs here: rows whose key is also another row's.
Does not belong here: rules that one value decides (each kind's own mask), the audit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from shared_resources import arrow_functions as pc


def sharing_rows(
    keys: Sequence[pa.ChunkedArray], within: pa.ChunkedArray | None = None
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each row's key is also another row's. A key with a null in it is not compared.

    `within` splits the rows: keys are compared among rows of the same value, null being one.
    """
    complete = np.ones(len(keys[0]), dtype=bool)
    codes = {}
    for place, key in enumerate(keys):
        codes[place] = _codes(key)
        complete &= codes[place] >= 0
    if within is not None:
        codes[len(keys)] = _codes(within)
    shared = pd.DataFrame(codes)[complete].duplicated(keep=False)
    mask = np.zeros(len(complete), dtype=bool)
    mask[complete] = shared.to_numpy()
    return mask


def _codes(values: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A number for each different value, -1 for null."""
    if pa.types.is_floating(values.type):
        values = pc.add(values, pa.scalar(0.0, values.type))  # -0.0 equals 0.0
    try:
        encoded = pc.dictionary_encode(values).combine_chunks()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # lists, structs
        listed = [None if value is None else repr(value) for value in values.to_pylist()]
        encoded = pa.array(listed, pa.string()).dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = pa.concat_arrays(encoded.unify_dictionaries().chunks)
    codes = pc.fill_null(pc.cast(encoded.indices, pa.int64()), -1)
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)
