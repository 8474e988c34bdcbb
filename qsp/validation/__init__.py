"""Validation: comparison of simulated with published results, with an acceptance criterion.

::

    data/targets.csv  published values with acceptance criteria ──┐
    data/*.toml       regimens in which they were measured ───────┼─▶ facts ─▶ rows, misses first
    --curves DIR      digitized curves, if the user has them ─────┘

    --curves DIR      observed curves with a header ─▶ curve_file ─▶ curve_bands: table and figure

Most comparisons are in-sample, because the shared parameters were fitted to rates of CRS. Values
that were not verified in a source, and values that are held out, are shown without a verdict.
`acceptance` is the table of requirements, over the same studies.
"""

from qsp.validation.judge import Verdict
from qsp.validation.row import COLUMNS, Row
from qsp.validation.validate import validate

__all__ = ["COLUMNS", "Row", "Verdict", "validate"]
