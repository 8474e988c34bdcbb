"""Virtual patients, as `Population.sample` returns them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qsp.api import changes as edits
from qsp.api.changes import Changes
from qsp.errors import ConfigError
from qsp.populations import CohortFile, ParameterTable, at_draws, check_draw_names, nominal, sample
from qsp.populations import Population as Sampled
from qsp.populations.draws import check_ids
from qsp.populations.paths import parameter_path

if TYPE_CHECKING:
    import pandas as pd

    from qsp.api.drugs import Molecule
    from qsp.api.populations import Population

_COVARIATE_UNITS = {"body_weight": "kg", "body_surface": "m^2", "age": "year", "sex": "1"}

_STAND_IN = 0.5
"""Number that is possible for amounts and for fractions."""


@dataclasses.dataclass(frozen=True)
class People:
    """Virtual patients of a population, to be treated with one molecule.

    Build them with `Population.sample`. Objects are immutable: `set`, `scale`, `at`, `typical` and
    `select` return new ones.

    Args:
        molecule: The molecule.
        population: The population.
        ids: Patient numbers, increasing.
        seed: Seed of the draws.
        changes: Changed entries of molecule and population by path.
        draws: Standard normal draws (patient,) by name in place of sampled ones; those that are not
            given are 0. None where patients are sampled.
        cohort: Cohort that has the draws of the patients. None where patients are sampled.
        traced: Values that JAX traces, by path, in canonical units, each with whether it keeps the
            spread; only for `qsp.trajectory`.
    """

    molecule: Molecule
    population: Population
    ids: tuple[int, ...]
    seed: int = 0
    changes: Changes = dataclasses.field(default_factory=dict)
    draws: Mapping[str, tuple[float, ...]] | None = None
    traced: Mapping[str, tuple[Any, bool]] = dataclasses.field(default_factory=dict)
    cohort: CohortFile | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def set(self, path: str, value: Any, *, keep_spread: bool = True) -> People:
        """Return the patients with another value of a parameter of molecule or population.

        The draws of the patients stay the same.

        Args:
            path: Path such as ``"synapse.alpha"``.
            value: Text with unit, a number in the canonical unit, or a number that JAX traces, with
                which `qsp.trajectory` computes derivatives.
            keep_spread: True for a new median, from which each patient keeps the deviation; False
                for the same value in all patients. Both replace a mixture of the population, such
                as that of the B cells of `nhl`, by one distribution.

        Raises:
            qsp.QSPError: If the path is unknown or the value has the wrong unit.
        """
        traced = {known: entry for known, entry in self.traced.items() if known != path}
        if edits.is_traced(value):
            parameter_path(path, where="people")
            changes = {known: entry for known, entry in self.changes.items() if known != path}
            traced[path] = (value, keep_spread)
        else:
            changes = edits.with_value(
                self.changes, path, value, keep_spread=keep_spread, where="people"
            )
        return dataclasses.replace(self, changes=changes, traced=traced)

    def scale(self, path: str, factor: float) -> People:
        """Return the patients with a parameter multiplied by a factor in each of them.

        Args:
            path: Path such as ``"t_cells.k_act"``.
            factor: Number of 0 or more.

        Raises:
            qsp.QSPError: If the path is unknown or the factor is negative.
        """
        new = edits.with_scale(self.changes, path, factor, where="people")
        return dataclasses.replace(self, changes=new)

    def at(
        self,
        draws: Mapping[str, Sequence[float] | np.ndarray | float],
        *,
        ids: Sequence[int] | None = None,
    ) -> People:
        """Return patients with chosen draws in place of sampled ones.

        Correlations are not imposed on the draws: they are the standard normal numbers from which
        the value of each patient follows. All other draws are 0, as in the typical patient.

        Args:
            draws: Standard normal draws (patient,) by path of a parameter with spread, by covariate
                such as ``covariates.body_weight``, or ``xi_patient`` for the random effect on the
                CRS thresholds.
            ids: Patient numbers, increasing; 0, 1, ... by default.

        Returns:
            One patient per draw.

        Raises:
            qsp.QSPError: If a name has no draw, or the numbers of draws or ids differ.

        Example:
            >>> people.at({"t_cells.k_act": [-1.0, 0.0, 1.0]}).parameters["t_cells.k_act"]
        """
        check_draw_names(self.numeric.table, draws, where="at")
        arrays = {name: _array(z, name) for name, z in draws.items()}
        count = max([1, *map(len, arrays.values())]) if ids is None else len(ids)
        for name, z in arrays.items():
            if z.ndim != 1 or len(z) not in (1, count) or not np.isfinite(z).all():
                numbers = "a finite number" if count == 1 else f"1 or {count} finite numbers"
                got = f"of shape {z.shape}" if np.isfinite(z).all() else repr(z.tolist())
                rule, todo = f"the draws of {name} must be {numbers}", "Give one draw per patient"
                raise ConfigError("at", rule, got, todo)
        chosen = {name: tuple(np.broadcast_to(z, count).tolist()) for name, z in arrays.items()}
        numbers = range(count) if ids is None else check_ids(ids).tolist()
        if list(numbers) != sorted(numbers):
            todo = "Sort the ids, and the draws with them"
            raise ConfigError("at", "ids must be in increasing order", repr(list(ids or ())), todo)
        return dataclasses.replace(self, ids=tuple(numbers), draws=chosen, cohort=None)

    @property
    def typical(self) -> People:
        """The typical patient: medians of covariates and parameters, and no random effects."""
        return dataclasses.replace(self, ids=(0,), draws={}, cohort=None)

    @property
    def is_typical(self) -> bool:
        """Whether this is the typical patient alone."""
        return self.draws is not None and not self.draws and len(self) == 1

    def select(self, ids: Sequence[int]) -> People:
        """Return some of the patients.

        Args:
            ids: Patient numbers of the selection.

        Raises:
            qsp.QSPError: If a number is not that of one of the patients.
        """
        missing = [number for number in ids if number not in self.ids]
        if missing or not len(ids):
            rule = "ids must be ids of patients of the population"
            raise ConfigError("select", rule, missing[0] if missing else "empty", "See people.ids")
        kept = tuple(sorted(set(ids)))
        places = [self.ids.index(number) for number in kept]
        draws = self.draws and {
            name: tuple(z[place] for place in places) for name, z in self.draws.items()
        }
        return dataclasses.replace(self, ids=kept, draws=draws)

    @property
    def covariates(self) -> pd.DataFrame:
        """Covariates (patient, covariate): body weight, body surface, age and sex (1 female).

        The units are in ``.attrs["units"]``, by column.
        """
        return self._frame(self.virtual().covariates, _COVARIATE_UNITS)

    @property
    def parameters(self) -> pd.DataFrame:
        """Parameter values (patient, path) in canonical units.

        Columns are the paths of the files of physiology, molecule and population. The units are in
        ``.attrs["units"]``, by column.
        """
        units = {path: row.unit for path, row in self.table.rows.items()}
        return self._frame(self.virtual().sampled, units)

    @functools.cached_property
    def table(self) -> ParameterTable:
        """Parameter table of molecule and population with all changes.

        Raises:
            qsp.QSPError: If the files or the changes break a rule, or JAX traces a value.
        """
        edits.refuse_traced(self.traced)
        overrides = edits.files(self.changes, "parameters")
        return nominal(self.molecule.source, self.population.cohort, overrides)

    @property
    def numeric(self) -> People:
        """The patients with a number for each traced value: the value of the files, if it is not 0.

        The number is a stand-in: it keeps the distribution of the parameter, and the checks of a
        trial can read it.
        """
        if not self.traced:
            return self
        known = dataclasses.replace(self, traced={})
        rows = known.table.rows
        for path, (_, keep_spread) in self.traced.items():
            value = rows[path].law.value if path in rows else 0.0
            known = known.set(path, value or _STAND_IN, keep_spread=keep_spread)
            if "scale" in self.changes.get(path, {}):  # of the traced value
                known = known.scale(path, self.changes[path]["scale"])
        return known

    def virtual(self, periods: int = 1) -> Sampled:
        """Return the patients as the simulation takes them.

        Args:
            periods: Number of dose periods, each with a random effect of its own.
        """
        ids = np.array(self.ids)
        if self.cohort is not None:
            return self.cohort.population(self.table, ids, seed=self.seed, periods=periods)
        if self.draws is None:
            return sample(self.table, ids, seed=self.seed, periods=periods)
        draws = {name: np.array(z) for name, z in self.draws.items()}
        return at_draws(self.table, draws, ids=ids, periods=periods)

    def _frame(self, columns: Mapping[str, np.ndarray], units: Mapping[str, str]) -> pd.DataFrame:
        import pandas as pd

        index = pd.Index(self.ids, name="patient")
        data = {name: np.broadcast_to(values, len(self)) for name, values in columns.items()}
        frame = pd.DataFrame(data, index=index)
        frame.attrs["units"] = {name: units[name] for name in frame.columns if name in units}
        return frame

    def __repr__(self) -> str:
        count = "1 patient" if len(self) == 1 else f"{len(self)} patients"
        count = "typical patient" if self.is_typical else count
        changed = f"; changed: {', '.join(self.changes)}" if self.changes else ""
        origin = f", seed {self.seed}" if self.draws is None else ""
        origin = origin if self.cohort is None else f", cohort {self.cohort.name}{origin}"
        name = f"{self.population.name} with {self.molecule.name}"
        return f"People({count} of {name}{origin}{changed})"


def _array(draws: Any, name: str) -> np.ndarray:
    """Draws as an array of at least one number; values that JAX traces have none."""
    try:
        return np.atleast_1d(np.asarray(draws, float))
    except (TypeError, ValueError):  # tracers raise subclasses of TypeError
        value = draws[0] if isinstance(draws, list | tuple) and draws else draws
        todo = 'Write {"xi_patient": [-1.0, 0.0, 1.0]}, for example'
        rule = f"the draws of {name} must be numbers"
        raise ConfigError("at", rule, edits.shown(value), todo) from None
