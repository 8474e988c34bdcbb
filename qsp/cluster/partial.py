"""Blocks of patients of a shard that is not done: plain arrays, one file a block.

Written after every block, so they must cost next to nothing; nobody else reads them.
"""

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import xarray as xr

from qsp.cluster.atomic import temporary
from qsp.results.encoded import as_computed


def keep(ds: xr.Dataset, path: Path, plan_id: str) -> None:
    """Write a block, whole or not at all; not where its folder is gone, for the shard is done.

    Beside its variables it holds `about`: of which plan it is, and the dimensions of each variable.
    """
    of_patients = {str(n): v for n, v in ds.variables.items() if "patient" in v.dims}
    about = {"plan": plan_id, "dims": {name: v.dims for name, v in of_patients.items()}}
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
    """A block that is there and is of this plan and these patients; else None."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            found = {name: (dims, file[name]) for name, dims in about["dims"].items()}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    ds = xr.Dataset(found)
    is_it = about.get("plan") == plan_id and np.array_equal(ds["patient"].values, patients)
    return ds if is_it else None


def together(found: list[xr.Dataset]) -> xr.Dataset:
    """Blocks in the order of their patients, whether they were read or computed."""
    of_patients = [n for n, v in found[0].data_vars.items() if "patient" in v.dims]
    parts = [as_computed(ds[of_patients]).reset_coords(drop=True) for ds in found]
    return xr.concat(parts, dim="patient", coords="minimal", compat="override", join="exact")


def _plain(values: np.ndarray) -> np.ndarray:
    return values.astype(str) if values.dtype.kind in "OT" else values
