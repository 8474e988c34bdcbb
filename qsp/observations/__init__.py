"""Observations of real patients: concentrations, cells, lesions and CRS grades at times.

A dose table in NONMEM style has them in its rows with EVID 0; a file of observations alone works
too. `ObservationFormat` names the columns and the quantity and unit of each DVID,
`observations_of_rows` and `read_observations` check the rows and convert them to the units of the
results, and `check_doses` compares them with the doses.
"""

from __future__ import annotations

from qsp.observations.columns import column_names
from qsp.observations.doses import check_doses
from qsp.observations.format import ObservationFormat, ObservedQuantity
from qsp.observations.observations import Observations
from qsp.observations.quantities import OBSERVABLES, QUANTITIES, Observable
from qsp.observations.reading import observations_of_rows, read_observations

__all__ = [
    "OBSERVABLES",
    "QUANTITIES",
    "Observable",
    "ObservationFormat",
    "Observations",
    "ObservedQuantity",
    "check_doses",
    "column_names",
    "observations_of_rows",
    "read_observations",
]
