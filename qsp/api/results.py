"""Results of a trial: `Results`, as `qsp.simulate` returns them."""

from __future__ import annotations

import functools
import shutil
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from qsp.api.compare import difference
from qsp.endpoints.steps import by_label
from qsp.errors import ConfigError, suggest
from qsp.run import folder as run_folder
from qsp.run.runs import write_report

if TYPE_CHECKING:
    import pandas as pd


class Results:
    """Results of a trial.

    `qsp.endpoints` and `qsp.plots` take them in place of a dataset.

    Args:
        tree: Dataset with its groups; see `qsp.results`.
        folder: Folder of the run, if it is saved.
        temporary: Folder that holds a large run; it is removed with the results.
    """

    def __init__(
        self,
        tree: xr.DataTree,
        *,
        folder: Path | None = None,
        temporary: Path | None = None,
    ) -> None:
        self._tree, self._folder = tree, folder
        if temporary is not None:  # also at the end of the process
            weakref.finalize(self, shutil.rmtree, temporary, ignore_errors=True)
        self._ds = tree.to_dataset()

    @property
    def ds(self) -> xr.Dataset:
        """Dataset with named dimensions and units: arm, patient, time, dose_period, visit.

        Example:
            >>> run.ds.il6.sel(arm="step")
        """
        return self._ds

    @property
    def tree(self) -> xr.DataTree:
        """The dataset with its groups, such as trajectories of some patients."""
        return self._tree

    def to_dataset(self) -> xr.Dataset:
        """Return `ds`, as `xarray.DataTree.to_dataset` does."""
        return self._ds

    @functools.cached_property
    def by_label(self) -> xr.Dataset:
        """Results of dose periods by the names of the periods in the regimen.

        `ds` counts dose periods from 1 in each arm, and arms name them differently. Here the names
        are the coordinate `label`, and a period that an arm lacks is NaN.

        Example:
            >>> run.by_label.il6_peak.sel(arm="step", label="FD1")
        """
        return by_label(self._ds)

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms."""
        return tuple(str(arm) for arm in self._ds["arm"].values)

    @property
    def failures(self) -> int:
        """Number of simulated patients, over all arms, that failed or are not plausible."""
        return int((self._ds["outcome"].fillna(-1) != 0).sum())

    def difference(self, first: str, second: str) -> pd.DataFrame:
        """Return risk differences of two arms, paired by patient.

        Every patient is simulated in both arms. The difference is the rate in the first arm minus
        that in the second, over the patients with a value in both.

        Args:
            first: Name of an arm.
            second: Name of the arm that it is compared with.

        Returns:
            One row per event (any CRS, CRS of grade 2 or higher, response) with the columns
            `first` and `second` (rates), `difference`, `standard_error` (Monte Carlo error of the
            difference), `both`, `first_only`, `second_only` and `neither` (numbers of patients).

        Raises:
            qsp.QSPError: If an arm is unknown.
        """
        for name in (first, second):
            if name not in self.arms:
                todo = f"{suggest(name, self.arms)} Arms: {', '.join(self.arms)}".strip()
                rule = "the name must be an arm of the run"
                raise ConfigError("difference", rule, repr(name), todo)
        return difference(self._ds, first, second)

    def save(self, folder: str | Path, *, force: bool = False) -> Path:
        """Write results.nc, report.html and summary.csv to a folder that appears whole.

        Args:
            folder: Folder of the run, such as ``"runs/mine"``; `qsp.read` reads it again.
            force: Whether to replace a run in the folder.

        Raises:
            qsp.QSPError: If the folder exists and `force` is false.
        """
        from qsp.results import save

        out = Path(folder)
        if out.is_dir() and not force:
            todo = "Write force=True to replace a run in it, or name another folder"
            raise ConfigError(str(out), "the folder must not exist", "an existing folder", todo)
        run_folder.check(out, force=force)
        with run_folder.written(out, force=force) as fresh:
            save(self._tree, fresh / run_folder.RESULTS)
            write_report(self._tree, fresh)
        self._folder = out
        return out

    def report(self, folder: str | Path | None = None) -> Path:
        """Write report.html and summary.csv, and return the path of the report.

        Args:
            folder: Folder for both files, which is created if necessary; by default the folder of
                the saved run, or the current folder.
        """
        out = Path(folder) if folder is not None else (self._folder or Path())
        out.mkdir(parents=True, exist_ok=True)
        return write_report(self._tree, out)[0]

    def __repr__(self) -> str:
        attrs, outcome = self._ds.attrs, self._ds["outcome"]
        patients = outcome.sizes["patient"]
        seconds = attrs.get("wall_s", np.nan)
        lines = [
            f"Results of {attrs.get('title', 'a trial')}",
            f"  arms      {', '.join(self.arms)}",
            f"  patients  {patients} of {attrs.get('population', '')}",
            f"  days      {attrs.get('days', np.nan):g}",
            f"  method    {attrs.get('solver', '')}, rtol {attrs.get('rtol', '')}, "
            f"{attrs.get('backend', '')}",
            f"  failures  {self.failures} of {outcome.size} simulations",
            f"  seconds   {seconds:.1f}, of which {attrs.get('compile_s', np.nan):.1f} to compile",
        ]
        return "\n".join(lines)
