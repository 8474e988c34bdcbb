"""Results as one zarr store that many processes fill, each with its own chunks.

An array with a patient axis has one chunk for each shard, so two shards never write the same file.
Arrays without one are written once, with the frame, when the plan is made.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from qsp.errors import ConfigError
from qsp.results import legacy
from qsp.results.schema import NOT_RUN

COMPLETE = "complete"
"""Attribute: 1 if every shard is stored and matches its receipt, else 0."""

INCOMPLETE = "INCOMPLETE"
"""First word of the note on patients that were not run."""

CLOSED = "plan_id"
"""Attribute: id of the plan of a closed store."""

MOST_THREADS = 2
"""Chunks that are compressed and written at a time; each needs a copy in memory."""

MOST_READERS = 8
"""Files whose digests are computed at a time; network disks answer late."""

LEVEL = 1
"""Compression level; higher ones take twice the time and save 1 % of the space."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """Layout of an array with a patient axis.

    Args:
        axis: Index of the patient axis.
        ndim: Number of axes.
        size: Number of patients in a chunk.
        patients: Total number of patients.
    """

    axis: int
    ndim: int
    size: int
    patients: int


@dataclasses.dataclass(frozen=True)
class Store:
    """A zarr store of results.

    Args:
        path: Folder of the store.
    """

    path: Path

    def create(self, like: xr.Dataset, patients: np.ndarray, size: int) -> None:
        """Create the frame: every array, with no patient filled in.

        Args:
            like: Results of some of the patients.
            patients: (patient,): Ids of all patients.
            size: Number of patients in a shard.
        """
        per_patient = {n: v for n, v in like.data_vars.items() if "patient" in v.dims}
        rest = _texts(like.drop_vars([*per_patient, "patient"])).assign_attrs({COMPLETE: 0})
        rest = rest.assign_coords(patient=("patient", patients, like["patient"].attrs))
        with _zarr() as zarr:
            rest.to_zarr(self.path, mode="w-", zarr_format=3, consolidated=False)
            group = zarr.open_group(self.path, mode="r+", use_consolidated=False)
            for name, values in per_patient.items():
                _create_array(group, str(name), values, len(patients), size)

    def frame(self) -> dict[str, str]:
        """Return the digest of each file of a store without patients, except attributes."""
        files = sorted(path for path in self.path.rglob("*") if path.is_file())
        names = [str(path.relative_to(self.path)) for path in files if path.parent != self.path]
        return self.files(names)

    def files(self, names: Iterable[str]) -> dict[str, str]:
        """Return the digest of each of these files; "" where it is missing."""
        return {name: _digest(self.path / name) for name in names}

    def write(self, part: xr.Dataset, rows: slice) -> dict[str, str]:
        """Write the patients of a shard.

        Args:
            part: Results of the patients.
            rows: Positions of the patients in the store; whole chunks.

        Returns:
            Digest of each chunk that was written, by the name of its array.

        Raises:
            ConfigError: If the variables differ from those of the store, or if the rows are not
                whole chunks.
        """
        own = {str(n): v for n, v in part.data_vars.items() if "patient" in v.dims}
        self._check(own, rows)
        chunks = self.chunks(rows)
        with _zarr() as zarr:
            group = zarr.open_group(self.path, mode="r+", use_consolidated=False)

            def write(name: str) -> None:
                layout = self.layout[name]
                at = tuple(rows if n == layout.axis else slice(None) for n in range(layout.ndim))
                # Set for this array: the setting of zarr is global to the process, and another
                # shard in the same process may reset it.
                array: Any = group[name]
                array = array.with_config({"write_empty_chunks": True})
                array[at] = _stored(own[name].values)
                _settle(chunks[name])

            with ThreadPoolExecutor(MOST_THREADS) as threads:  # compression releases the GIL
                list(threads.map(write, own))
        return self.digests(rows)

    def _check(self, own: Mapping[str, xr.DataArray], rows: slice) -> None:
        if set(own) != set(self.layout):
            other = ", ".join(sorted(set(own) ^ set(self.layout)))
            raise ConfigError(str(self.path), "a shard must have the variables of the plan", other)
        for name, layout in self.layout.items():
            ends = rows.stop % layout.size == 0 or rows.stop == layout.patients
            if rows.start % layout.size or not ends or rows.stop - rows.start > layout.size:
                rule = f"a shard must be a whole chunk of {name} ({layout.size} patients)"
                raise ConfigError(str(self.path), rule, f"{rows.start} to {rows.stop}")

    @functools.cached_property
    def layout(self) -> Mapping[str, Layout]:
        """Layout of every array with a patient axis, by name."""
        with _zarr() as zarr:
            group = zarr.open_group(self.path, mode="r", use_consolidated=False)
            found = {}
            for name, array in sorted(group.arrays()):
                dims = array.metadata.dimension_names
                if name != "patient" and "patient" in dims:
                    axis = dims.index("patient")
                    sizes = array.chunks[axis], array.shape[axis]
                    found[name] = Layout(axis, array.ndim, *sizes)
        return found

    def chunks(self, rows: slice) -> dict[str, Path]:
        """Return the file of the chunk of some patients in each array."""
        return {
            name: self.path.joinpath(
                name,
                "c",
                *(
                    str(rows.start // layout.size) if n == layout.axis else "0"
                    for n in range(layout.ndim)
                ),
            )
            for name, layout in self.layout.items()
        }

    def digests(self, rows: slice) -> dict[str, str]:
        """Return the digest of each chunk of some patients, by array; "" where it is missing.

        Raises:
            OSError: If a chunk exists and cannot be read.
        """
        chunks = self.chunks(rows)
        with ThreadPoolExecutor(MOST_READERS) as threads:
            return dict(zip(chunks, threads.map(_digest, chunks.values()), strict=True))

    def close(self, attributes: Mapping[str, Any], *, complete: bool) -> None:
        """Write attributes of the run, remove unfinished files and consolidate metadata.

        Args:
            attributes: Attributes to add.
            complete: Whether every shard is stored.
        """
        if complete:  # otherwise a running shard may be writing one of them
            for left in self.path.rglob("*.partial"):
                left.unlink(missing_ok=True)
        with _zarr() as zarr:
            group = zarr.open_group(self.path, mode="r+", use_consolidated=False)
            group.update_attributes({**attributes, COMPLETE: int(complete)})
            zarr.consolidate_metadata(self.path)

    @property
    def is_closed(self) -> bool:
        """Whether the run was closed, complete or not."""
        with _zarr() as zarr:
            group = zarr.open_group(self.path, mode="r", use_consolidated=False)
            return bool(group.attrs.get(CLOSED))

    def reopen(self) -> None:
        """Open a closed store again."""
        with _zarr() as zarr:
            group = zarr.open_group(self.path, mode="r+", use_consolidated=False)
            group.update_attributes({COMPLETE: 0, CLOSED: ""})

    def clear(self, rows: slice) -> None:
        """Delete the chunks of a missing or broken shard; its patients count as not run."""
        for path in self.chunks(rows).values():
            path.unlink(missing_ok=True)

    def read(self) -> xr.DataTree:
        """Read results lazily: values are read on each use and are not cached.

        Patients that were not run are left out, and a note gives their number. A store of qsp 0.1.0
        is read under the names of this version, with a warning.

        Raises:
            ConfigError: If zarr is not installed, or the folder is no store.
        """
        with _zarr():
            ds = xr.open_dataset(
                self.path, engine="zarr", chunks=None, cache=False, consolidated=False
            )
        texts = {name: _objects(v) for name, v in ds.variables.items() if v.dtype.kind == "T"}
        coords = {n: v.astype(str) for n, v in texts.items() if n in ds.coords}
        ds = ds.assign_coords(coords).assign({n: v for n, v in texts.items() if n not in coords})
        return legacy.upgraded(xr.DataTree(ds if ds.attrs[COMPLETE] else _without_missing(ds)))


def _create_array(group: Any, name: str, values: xr.DataArray, patients: int, size: int) -> None:
    """Create the array of a variable for all patients, with missing values."""
    from zarr.codecs import ZstdCodec

    def shape(count: int) -> tuple[int, ...]:
        return tuple(count if dim == "patient" else values.sizes[dim] for dim in values.dims)

    fill = values.encoding.get("_FillValue")
    kind = _stored(values.values[:0]).dtype
    missing = {"T": "", "f": np.nan}.get(kind.kind, NOT_RUN if name == "outcome" else -1)
    group.create_array(
        name,
        shape=shape(patients),
        chunks=shape(min(size, patients)),
        dtype=kind,
        fill_value=missing,
        compressors=ZstdCodec(level=LEVEL),
        dimension_names=[str(dim) for dim in values.dims],
        attributes=_plain({**values.attrs, **({} if fill is None else {"_FillValue": fill})}),
    )


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes in types that JSON has."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in attributes.items()
    }


def _stored(values: np.ndarray) -> np.ndarray:
    """Texts with variable length, the only text type of version 3 of the format."""
    return values.astype(np.dtypes.StringDType()) if values.dtype.kind in "UO" else values


def _texts(ds: xr.Dataset) -> xr.Dataset:
    """Results with all texts in the type that is stored."""
    texts = {name: v for name, v in ds.variables.items() if v.dtype.kind in "UTO"}
    converted = {n: xr.Variable(v.dims, _stored(v.values), v.attrs) for n, v in texts.items()}
    coords = {name: values for name, values in converted.items() if name in ds.coords}
    return ds.assign_coords(coords).assign({n: v for n, v in converted.items() if n not in coords})


def _objects(values: xr.Variable) -> xr.Variable:
    """Texts as Python strings, read on use."""
    array = indexing.LazilyIndexedArray(_Objects(values))
    return xr.Variable(values.dims, array, values.attrs, values.encoding)


class _Objects(BackendArray):
    """Lazy array of the texts of a store."""

    def __init__(self, stored: xr.Variable) -> None:
        self.shape, self.dtype = stored.shape, np.dtype(object)
        self._stored = stored

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        outer = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, outer, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        return np.asarray(self._stored[key].values).astype(object)


def _without_missing(ds: xr.Dataset) -> xr.Dataset:
    """Results without the patients that were not run, and with a note on their number."""
    was_run = (ds["outcome"].values != NOT_RUN).any(0)
    note = f"{INCOMPLETE}: {np.sum(~was_run):,} of {len(was_run):,} patients were not run."
    notes = "\n".join(filter(None, [ds.attrs.get("notes", ""), note]))
    return ds.isel(patient=np.flatnonzero(was_run)).assign_attrs(notes=notes)


def _settle(path: Path) -> None:
    """Flush a file to disk; a missing file is detected later by its digest."""
    with contextlib.suppress(FileNotFoundError), path.open("rb+") as file:
        os.fsync(file.fileno())


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextlib.contextmanager
def _zarr() -> Iterator[Any]:
    """Zarr without warnings on consolidated metadata, and with every chunk written.

    A chunk that holds only the fill value is written too, so that a missing one is an error.
    """
    try:
        import zarr
        from zarr.errors import GroupNotFoundError
    except ImportError:
        todo = "Run pip install -e '.[cluster]' in the folder of the package"
        raise ConfigError("a run in shards", "zarr must be installed", "missing", todo) from None
    with warnings.catch_warnings(), zarr.config.set({"array.write_empty_chunks": True}):
        # Consolidated metadata are not part of version 3; they only make opening faster.
        warnings.filterwarnings("ignore", message=".*[Cc]onsolidated metadata.*")
        try:
            yield zarr
        except (json.JSONDecodeError, GroupNotFoundError) as error:
            rule, todo = "results.zarr must be readable", "Run qsp finalize RUN, which repairs it"
            raise ConfigError("the store of the run", rule, str(error), todo) from None
