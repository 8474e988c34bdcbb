"""Simulated beside published: one row a fact, and a verdict where there is a target.

::

    data/*.csv    published rows, each with how it is judged ─┐
    data/*.toml   the regimens they were measured under ──────┼─▶ facts ─▶ rows, misses first
    --curves DIR  digitised curves, where the user has them ──┘

Most figures are in-sample: the shared values were fitted to rates of CRS. What is recalled and not
read in a source is shown, not judged, unless it is a target of the project. Left out: what the
tables hold of other molecules, and figures that need drugs the model does not give on demand.
"""

from qsp.validation.judge import Verdict
from qsp.validation.row import COLUMNS, Row
from qsp.validation.validate import validate

__all__ = ["COLUMNS", "Row", "Verdict", "validate"]
