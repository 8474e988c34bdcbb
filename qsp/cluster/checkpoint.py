"""Checkpoints of a shard: finished blocks of patients as plain arrays, one file for each block.

One is written after every block, so writing must be cheap; only a later attempt at the same shard
reads it.
"""

import json
import os
import zipfile
from collections.abc import Hashable
from pathlib import Path

import numpy as np
import xarray as xr

from qsp.cluster.atomic import temporary_path
from qsp.cluster.host import device

COMPUTE_S = "compute_s"
DEVICE = "device"


def save_block(ds: xr.Dataset, path: Path, plan_id: str) -> None:
    """Write a block, completely or not at all; do nothing if its folder was deleted.

    The folder of a shard is deleted when the shard is done. In addition to the variables of
    patients the file holds a record `about`: id of the plan, dimensions of each variable, seconds
    spent on computing the block (the attribute `COMPUTE_S` of `ds`), and kind of device.

    Args:
        ds: Results of the block.
        path: File to write.
        plan_id: Id of the plan.
    """
    variables = {str(n): v for n, v in ds.variables.items() if "patient" in v.dims}
    about = {
        "plan": plan_id,
        "dims": {name: v.dims for name, v in variables.items()},
        COMPUTE_S: float(ds.attrs.get(COMPUTE_S, 0.0)),
        DEVICE: device(),
    }
    arrays = {name: _plain(v.values) for name, v in variables.items()}
    partial = temporary_path(path)
    try:
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays, about=np.array(json.dumps(about)))
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        if path.parent.exists():
            raise


def load_block(path: Path, plan_id: str, patients: np.ndarray) -> xr.Dataset | None:
    """Load a block if its plan, patients and kind of device match.

    The device matters because the first block may have been computed on a login node, whose results
    can differ in the last digits.

    Args:
        path: File of the block.
        plan_id: Id of the plan.
        patients (patient,): Ids of the patients of the block.

    Returns:
        The block; None if the file is missing, damaged, or does not match.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            variables = {name: (dims, file[name]) for name, dims in about["dims"].items()}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    ds = xr.Dataset(variables, attrs={COMPUTE_S: about.get(COMPUTE_S, 0.0)})
    matches = (
        about.get("plan") == plan_id
        and about.get(DEVICE) == device()
        and np.array_equal(ds["patient"].values, patients)
    )
    return ds if matches else None


class ShardBuffer:
    """Results of the patients of a shard, filled block by block.

    Args:
        size: Patients of the shard.
    """

    def __init__(self, size: int) -> None:
        self._size, self._filled = size, 0
        self._arrays: dict[str, tuple[tuple[Hashable, ...], np.ndarray]] = {}

    def append(self, ds: xr.Dataset) -> None:
        """Copy the results of the next block into the buffer."""
        first, last = self._filled, self._filled + ds.sizes["patient"]
        for name, values in ((str(name), ds.variables[name]) for name in ds.data_vars):
            if "patient" in values.dims:
                dims, array = self._allocated(name, values)
                at = tuple(slice(first, last) if dim == "patient" else slice(None) for dim in dims)
                array[at] = values.values
        self._filled = last

    def _allocated(self, name: str, values: xr.Variable) -> tuple[tuple[Hashable, ...], np.ndarray]:
        if name not in self._arrays:
            shape = tuple(self._size if dim == "patient" else n for dim, n in values.sizes.items())
            kind = values.dtype if values.dtype.kind not in "UO" else np.dtypes.StringDType()
            self._arrays[name] = (values.dims, np.empty(shape, kind))
        return self._arrays[name]

    @property
    def filled(self) -> int:
        """Number of patients in the buffer."""
        return self._filled

    def dataset(self) -> xr.Dataset:
        """Return the results of all patients of the shard."""
        return xr.Dataset(self._arrays)


def _plain(values: np.ndarray) -> np.ndarray:
    return values.astype(str) if values.dtype.kind in "OT" else values
