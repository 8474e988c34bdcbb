"""Texts of patients in a netCDF file, as letters of a fixed width that compress well.

Strings of netCDF are separate pieces of memory, which its library does not release while the file
is open, and xarray reads all of them when it opens a file.
"""

import numpy as np
import xarray as xr

from qsp.errors import ConfigError
from qsp.trial import MOST_LETTERS

LETTER = "letter"
"""Dimension of the letters in a file; xarray joins them to texts when it reads the file."""


def encode_texts(ds: xr.Dataset) -> xr.Dataset:
    """Return results whose texts of patients are bytes of one width, ready to be written.

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
    """Whether a variable holds texts of patients."""
    return "patient" in values.dims and values.dtype.kind in "UO"


def letters(texts: np.ndarray) -> np.ndarray:
    """Return texts as bytes of the width that they have in a file.

    Raises:
        ConfigError: If a text is longer than that.
    """
    found = np.char.encode(texts.astype(str), "utf-8")
    if found.dtype.itemsize > MOST_LETTERS:
        longest = max(found.ravel().tolist(), key=len).decode()
        rule = f"a text of a patient must have at most {MOST_LETTERS} letters in a file"
        raise ConfigError("results", rule, repr(longest))
    return found.astype(f"S{MOST_LETTERS}")


def width(stored: np.dtype) -> tuple[int, ...]:
    """Size of the dimension of letters of encoded texts; empty for numbers."""
    return (stored.itemsize,) if stored.kind == "S" else ()


def single_letters(values: np.ndarray) -> np.ndarray:
    """Split encoded texts into letters along a further dimension; numbers do not change."""
    if values.dtype.kind != "S":
        return values
    return np.ascontiguousarray(values).view("S1").reshape(*values.shape, *width(values.dtype))
