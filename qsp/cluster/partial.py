"""Blocks of patients of a shard that is not done: plain arrays, one file a block.

Written after every block, so they must cost next to nothing; nobody else reads them.
"""

import json
import os
import zipfile
from collections.abc import Hashable
from pathlib import Path

import numpy as np
import xarray as xr

from qsp.cluster.atomic import temporary
from qsp.cluster.hardware import device

COMPUTE_S = "compute_s"
DEVICE = "device"


def keep(ds: xr.Dataset, path: Path, plan_id: str) -> None:
    """Write a block, whole or not at all; not where its folder is gone, for the shard is done.

    Beside its variables it holds `about`: of which plan it is, the dimensions of each variable, the
    seconds that it took to compute (its attribute `COMPUTE_S`), and on what kind of device.
    """
    of_patients = {str(n): v for n, v in ds.variables.items() if "patient" in v.dims}
    about = {
        "plan": plan_id,
        "dims": {name: v.dims for name, v in of_patients.items()},
        COMPUTE_S: float(ds.attrs.get(COMPUTE_S, 0.0)),
        DEVICE: device(),
    }
    arrays = {name: _plain(v.values) for name, v in of_patients.items()}
    partial = temporary(path)
    try:
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays, about=np.array(json.dumps(about)))
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        if path.parent.exists():
            raise


def left(path: Path, plan_id: str, patients: np.ndarray) -> xr.Dataset | None:
    """A block that is there and is of this plan, these patients and this kind of device; else None.

    A plan made on a login node has its first block from there: with other last digits.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            found = {name: (dims, file[name]) for name, dims in about["dims"].items()}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    ds = xr.Dataset(found, attrs={COMPUTE_S: about.get(COMPUTE_S, 0.0)})
    is_it = (
        about.get("plan") == plan_id
        and about.get(DEVICE) == device()
        and np.array_equal(ds["patient"].values, patients)
    )
    return ds if is_it else None


class Whole:
    """The patients of a shard, filled block by block, whether one was read or computed.

    Args:
        size: Patients of the shard.
    """

    def __init__(self, size: int) -> None:
        self._size, self._filled = size, 0
        self._arrays: dict[str, tuple[tuple[Hashable, ...], np.ndarray]] = {}

    def add(self, ds: xr.Dataset) -> None:
        """Take the next block."""
        first, last = self._filled, self._filled + ds.sizes["patient"]
        own = {str(name): ds.variables[name] for name in ds.data_vars}
        for name, values in own.items():
            if "patient" in values.dims:
                dims, array = self._room(name, values)
                at = tuple(slice(first, last) if dim == "patient" else slice(None) for dim in dims)
                array[at] = values.values
        self._filled = last

    def _room(self, name: str, values: xr.Variable) -> tuple[tuple[Hashable, ...], np.ndarray]:
        if name not in self._arrays:
            shape = tuple(self._size if dim == "patient" else n for dim, n in values.sizes.items())
            kind = values.dtype if values.dtype.kind not in "UO" else np.dtypes.StringDType()
            self._arrays[name] = (values.dims, np.empty(shape, kind))
        return self._arrays[name]

    @property
    def filled(self) -> int:
        """Patients that are there."""
        return self._filled

    def dataset(self) -> xr.Dataset:
        """All of them."""
        return xr.Dataset(self._arrays)


def _plain(values: np.ndarray) -> np.ndarray:
    return values.astype(str) if values.dtype.kind in "OT" else values
