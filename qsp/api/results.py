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
from qsp.errors import ConfigError
from qsp.results.model_version import other_model
from qsp.results.record import record_of
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
    def observed(self) -> pd.DataFrame:
        """Observations of patients, one row each, with percentiles of the simulation.

        Columns are described in `qsp.endpoints.observed.observations`; without observations there
        is no row.

        Example:
            >>> run.observed.query("quantity == 'il6'")[["time", "value", "p5", "median", "p95"]]
        """
        from qsp.endpoints.observed import observations

        return observations(self._ds)

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms."""
        return tuple(str(arm) for arm in self._ds["arm"].values)

    @property
    def failures(self) -> int:
        """Number of simulated patients, over all arms, that failed or are not plausible."""
        return int((self._ds["outcome"].fillna(-1) != 0).sum())

    def difference(
        self, first: str, second: str | None = None, *, trial_size: int | None = None
    ) -> pd.DataFrame:
        """Return differences of two arms, paired by patient: first minus second.

        Every patient is simulated in both arms. A pair without a value in one of them is dropped
        and counted. All intervals are 95 % intervals of Monte Carlo error or of a trial, with the
        parameters fixed.

        Args:
            first: Name of an arm.
            second: Name of the arm that it is compared with; by default the reference of the
                config, or the first arm.
            trial_size: Number of patients in each arm of the trial of the prediction intervals; by
                default that of the published trial, or 100.

        Returns:
            One row per event (any CRS, CRS of grade 2 or higher, of grade 3 or higher, each also by
            dose period; response; tocilizumab used, where an arm may have it) and per mean (days in
            CRS, time to full dose). The columns `first` and `second` are rates [1] or means [day];
            `difference` has `standard_error` and the bounds `lower` and `upper`; `ratio` has
            bootstrap bounds; `number_needed` is the number needed to treat; `trial_lower` and
            `trial_upper` are prediction bounds of the difference in a trial of `trial_size`
            patients in each arm; `both`, `first_only`, `second_only` and `neither` count patients,
            `failed` and `unassessed` dropped pairs.

        Raises:
            qsp.QSPError: If an arm is unknown.

        Example:
            >>> run.difference("step", "flat")[["difference", "lower", "upper", "number_needed"]]
        """
        return difference(self._ds, first, second, trial_size)

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
        if (other := other_model(record_of(self._ds))) is not None:
            lines.append(f"  {other.heading}")
        return "\n".join(lines)
