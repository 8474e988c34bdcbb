"""Results that were read from a file, as they were before they were written."""

import numpy as np
import xarray as xr


def as_computed(ds: xr.Dataset) -> xr.Dataset:
    """With whole numbers whole again, and without what a file says about itself.

    A fill value makes numbers with a fraction of whole ones when they are read.

    Args:
        ds: Results, in memory; those that were not read stay as they are.
    """
    coords = {name: _variable(ds[name]) for name in ds.coords}
    data = {name: _variable(values) for name, values in ds.data_vars.items()}
    return ds.assign_coords(coords).assign(data)


def _variable(values: xr.DataArray) -> xr.Variable:
    fill, kind = (values.encoding.get(key) for key in ("_FillValue", "dtype"))
    variable = values.variable.copy(deep=False)
    is_whole = kind is not None and np.issubdtype(kind, np.integer)
    if is_whole and fill is not None and variable.dtype.kind == "f":
        variable = variable.fillna(fill).astype(kind)
    keeps = fill is not None and variable.dtype.kind in "iu"
    variable.attrs, variable.encoding = values.attrs, {"_FillValue": fill} if keeps else {}
    return variable
