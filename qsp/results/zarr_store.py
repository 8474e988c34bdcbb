"""Results as one zarr store that many processes fill, each with whole chunks of its own.

An array of patients has one chunk for every shard, so two shards never write one file. Whatever is
not of patients is written with the frame, by who makes the plan.
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
from qsp.results.schema import NOT_RUN

COMPLETE = "complete"
"""Attribute: 1 where every shard is there, as its receipt says, else 0."""

INCOMPLETE = "INCOMPLETE"
"""First word of the note on patients that were not run."""

CLOSED = "plan_id"
"""Attribute: the plan of a store that was closed."""

MOST_THREADS = 2
"""Chunks that are compressed and written at a time: each has a copy in memory."""

MOST_READERS = 8
"""Files whose digests are made at a time: each holds little, and a distant disk answers late."""

LEVEL = 1
"""Of compression: higher ones take twice the time for a hundredth of the room."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """How an array of patients lies in its store.

    Args:
        axis: Of the patients.
        ndim: Number of axes.
        size: Patients of a chunk.
        patients: In all.
    """

    axis: int
    ndim: int
    size: int
    patients: int


@dataclasses.dataclass(frozen=True)
class Store:
    """A zarr store of results.

    Args:
        path: Its folder.
    """

    path: Path

    def create(self, like: xr.Dataset, patients: np.ndarray, size: int) -> None:
        """The frame: every array, with no patient in it yet.

        Args:
            like: Results of some of the patients.
            patients: (patient,): Ids of all.
            size: Patients of a shard.
        """
        of_patients = {n: v for n, v in like.data_vars.items() if "patient" in v.dims}
        rest = _texts(like.drop_vars([*of_patients, "patient"])).assign_attrs({COMPLETE: 0})
        rest = rest.assign_coords(patient=("patient", patients, like["patient"].attrs))
        with _zarr() as zarr:
            rest.to_zarr(self.path, mode="w-", zarr_format=3, consolidated=False)
            group = zarr.open_group(self.path, mode="r+", use_consolidated=False)
            for name, values in of_patients.items():
                _room(group, str(name), values, len(patients), size)

    def frame(self) -> dict[str, str]:
        """Digest of each file of a store without patients, but for attributes, by its path."""
        files = sorted(path for path in self.path.rglob("*") if path.is_file())
        names = [str(path.relative_to(self.path)) for path in files if path.parent != self.path]
        return self.files(names)

    def files(self, names: Iterable[str]) -> dict[str, str]:
        """Digest of each of these files; "" where it is missing."""
        return {name: _digest(self.path / name) for name in names}

    def write(self, part: xr.Dataset, rows: slice) -> dict[str, str]:
        """Write the patients of a shard.

        Args:
            part: Their results.
            rows: Their places; whole chunks.

        Returns:
            Digest of each chunk that was written, by the name of its array.

        Raises:
            ConfigError: If the part has other variables than the store, or would cut a chunk.
        """
        own = {str(n): v for n, v in part.data_vars.items() if "patient" in v.dims}
        self._check(own, rows)
        chunks = self.chunks(rows)
        with _zarr() as zarr:
            group = zarr.open_group(self.path, mode="r+", use_consolidated=False)

            def write(name: str) -> None:
                lies = self.layout[name]
                at = tuple(rows if n == lies.axis else slice(None) for n in range(lies.ndim))
                # Said to the array, for what is said to zarr holds for all threads of a process:
                # another shard in it may take it back.
                array: Any = group[name]
                array = array.with_config({"write_empty_chunks": True})
                array[at] = _stored(own[name].values)
                _settle(chunks[name])

            with ThreadPoolExecutor(MOST_THREADS) as threads:  # compressing lets others go on
                list(threads.map(write, own))
        return self.digests(rows)

    def _check(self, own: Mapping[str, xr.DataArray], rows: slice) -> None:
        if set(own) != set(self.layout):
            other = ", ".join(sorted(set(own) ^ set(self.layout)))
            raise ConfigError(str(self.path), "a shard must have the variables of the plan", other)
        for name, lies in self.layout.items():
            ends = rows.stop % lies.size == 0 or rows.stop == lies.patients
            if rows.start % lies.size or not ends or rows.stop - rows.start > lies.size:
                rule = f"a shard must be a whole chunk of {name} ({lies.size} patients)"
                raise ConfigError(str(self.path), rule, f"{rows.start} to {rows.stop}")

    @functools.cached_property
    def layout(self) -> Mapping[str, Layout]:
        """Of every array of patients, by its name."""
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
        """File of the chunk of some patients in each array."""
        return {
            name: self.path.joinpath(
                name,
                "c",
                *(
                    str(rows.start // lies.size) if n == lies.axis else "0"
                    for n in range(lies.ndim)
                ),
            )
            for name, lies in self.layout.items()
        }

    def digests(self, rows: slice) -> dict[str, str]:
        """Digest of each chunk of some patients, by its array; "" where it is missing.

        Raises:
            OSError: If one that is there cannot be read now.
        """
        chunks = self.chunks(rows)
        with ThreadPoolExecutor(MOST_READERS) as threads:
            return dict(zip(chunks, threads.map(_digest, chunks.values()), strict=True))

    def close(self, attributes: Mapping[str, Any], *, complete: bool) -> None:
        """Write attributes of the run, remove what killed writers left, and gather metadata."""
        if complete:  # else one of them may be of a shard that runs
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
        """Take back that a store is closed."""
        with _zarr() as zarr:
            group = zarr.open_group(self.path, mode="r+", use_consolidated=False)
            group.update_attributes({COMPLETE: 0, CLOSED: ""})

    def clear(self, rows: slice) -> None:
        """Make patients whose shard is missing or broken patients that were not run."""
        for path in self.chunks(rows).values():
            path.unlink(missing_ok=True)

    def read(self) -> xr.DataTree:
        """Results of which a part is read when it is used, and not kept.

        Patients that were not run are left out, and a note says how many they are.

        Raises:
            ConfigError: If its packages are missing, or the folder is no store.
        """
        with _zarr():
            ds = xr.open_dataset(
                self.path, engine="zarr", chunks=None, cache=False, consolidated=False
            )
        texts = {name: _objects(v) for name, v in ds.variables.items() if v.dtype.kind == "T"}
        coords = {n: v.astype(str) for n, v in texts.items() if n in ds.coords}
        ds = ds.assign_coords(coords).assign({n: v for n, v in texts.items() if n not in coords})
        return xr.DataTree(ds if ds.attrs[COMPLETE] else _of_run(ds))


def _room(group: Any, name: str, values: xr.DataArray, patients: int, size: int) -> None:
    """An array for the values of all patients."""
    from zarr.codecs import ZstdCodec

    def shape(count: int) -> tuple[int, ...]:
        return tuple(count if dim == "patient" else values.sizes[dim] for dim in values.dims)

    fill = values.encoding.get("_FillValue")
    kind = _stored(values.values[:0]).dtype
    nothing = {"T": "", "f": np.nan}.get(kind.kind, NOT_RUN if name == "outcome" else -1)
    group.create_array(
        name,
        shape=shape(patients),
        chunks=shape(min(size, patients)),
        dtype=kind,
        fill_value=nothing,
        compressors=ZstdCodec(level=LEVEL),
        dimension_names=[str(dim) for dim in values.dims],
        attributes=_plain({**values.attrs, **({} if fill is None else {"_FillValue": fill})}),
    )


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as JSON has them."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in attributes.items()
    }


def _stored(values: np.ndarray) -> np.ndarray:
    """Texts of any length, the one kind of text that version 3 of the format knows."""
    return values.astype(np.dtypes.StringDType()) if values.dtype.kind in "UO" else values


def _texts(ds: xr.Dataset) -> xr.Dataset:
    """With all texts as they are stored."""
    texts = {name: v for name, v in ds.variables.items() if v.dtype.kind in "UTO"}
    made = {n: xr.Variable(v.dims, _stored(v.values), v.attrs) for n, v in texts.items()}
    coords = {name: values for name, values in made.items() if name in ds.coords}
    return ds.assign_coords(coords).assign({n: v for n, v in made.items() if n not in coords})


def _objects(values: xr.Variable) -> xr.Variable:
    """Texts as Python has them, read when they are used."""
    array = indexing.LazilyIndexedArray(_Objects(values))
    return xr.Variable(values.dims, array, values.attrs, values.encoding)


class _Objects(BackendArray):
    """Texts of a store, of which parts are read."""

    def __init__(self, stored: xr.Variable) -> None:
        self.shape, self.dtype = stored.shape, np.dtype(object)
        self._stored = stored

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        outer = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, outer, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        return np.asarray(self._stored[key].values).astype(object)


def _of_run(ds: xr.Dataset) -> xr.Dataset:
    """Patients that were run."""
    there = (ds["outcome"].values != NOT_RUN).any(0)
    note = f"{INCOMPLETE}: {np.sum(~there):,} of {len(there):,} patients were not run."
    notes = "\n".join(filter(None, [ds.attrs.get("notes", ""), note]))
    return ds.isel(patient=np.flatnonzero(there)).assign_attrs(notes=notes)


def _settle(path: Path) -> None:
    """Wait until a file is on the disk; one that is not there is found by its digest."""
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
    """Zarr, that says no more than it must.

    Every chunk is written, even one of nothing else than the fill value: none may be missing.
    """
    try:
        import zarr
        from zarr.errors import GroupNotFoundError
    except ImportError:
        todo = "In the folder of the package: pip install -e '.[cluster]'"
        raise ConfigError("a run in shards", "zarr must be there", "missing", todo) from None
    with warnings.catch_warnings(), zarr.config.set({"array.write_empty_chunks": True}):
        # Consolidated metadata are not in version 3 of the format; they only save openings.
        warnings.filterwarnings("ignore", message=".*[Cc]onsolidated metadata.*")
        try:
            yield zarr
        except (json.JSONDecodeError, GroupNotFoundError) as error:
            rule, todo = "results.zarr must be readable", "qsp finalize RUN, which mends it"
            raise ConfigError("the store of the run", rule, str(error), todo) from None
