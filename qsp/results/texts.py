"""Texts of patients in a file: letters of a fixed width, which compress and are read by part.

netCDF's own strings are each a piece of memory that its library never gives back while the file is
open, and xarray reads all of them when it opens one.
"""

import numpy as np
import xarray as xr

from qsp.errors import ConfigError
from qsp.trial import MOST_LETTERS

LETTER = "letter"
"""Dimension of the letters in a file; whoever opens it with xarray sees texts and not letters."""


def spelled(ds: xr.Dataset) -> xr.Dataset:
    """The same for a file, with the texts of patients as letters of one width, compressed.

    Args:
        ds: Results; names of dose periods have at most `qsp.trial.MOST_LETTERS` bytes.
    """
    return ds.assign(
        {
            name: (values.dims, letters(values.values), {**values.attrs, "_Encoding": "utf-8"})
            for name, values in ds.data_vars.items()
            if is_text(values)
        }
    )


def is_text(values: xr.DataArray | xr.Variable) -> bool:
    """Whether these are texts of patients."""
    return "patient" in values.dims and values.dtype.kind in "UO"


def letters(texts: np.ndarray) -> np.ndarray:
    """Texts as bytes of the width that they have in a file."""
    found = np.char.encode(texts.astype(str), "utf-8")
    if found.dtype.itemsize > MOST_LETTERS:
        longest = max(found.ravel().tolist(), key=len).decode()
        rule = f"a text of a patient must have at most {MOST_LETTERS} letters in a file"
        raise ConfigError("results", rule, repr(longest))
    return found.astype(f"S{MOST_LETTERS}")


def width(stored: np.dtype) -> tuple[int, ...]:
    """Size of the dimension that `spelled` texts have beyond their own; numbers have none."""
    return (stored.itemsize,) if stored.kind == "S" else ()


def single(values: np.ndarray) -> np.ndarray:
    """`spelled` texts as single letters, along one dimension more; numbers as they are."""
    if values.dtype.kind != "S":
        return values
    return np.ascontiguousarray(values).view("S1").reshape(*values.shape, *width(values.dtype))
