"""Uncertainty of a run: parameter sets of the fit x the patients of the run.

Each member of the ensemble of `qsp.calibration.ensemble` is a set of parameter values. All members
are simulated in the same patients, and no time courses are kept.
"""

from qsp.uncertainty.members import Members, members
from qsp.uncertainty.summary import with_uncertainty

__all__ = ["Members", "members", "with_uncertainty"]
