"""Virtual patients that are plausible, and whose distributions are those of published trials.

`populate` draws candidates, screens them without treatment, and writes the accepted ones as a
cohort. `weigh` finds the weights of the patients of a run that meet published distributions and
differ least from equal ones, and reports the published distributions that no weights meet; it can
resample the patients to a cohort without weights.
"""

from qsp.patients.baseline_ranges import Range, read_ranges
from qsp.patients.diagnosis import Conflict, Diagnosis, Duplicate, Fit, Unsupported
from qsp.patients.populating import Screening, populate
from qsp.patients.published import Published, read_published
from qsp.patients.screen import Reason
from qsp.patients.weighing import Weighing, weigh

__all__ = [
    "Conflict",
    "Diagnosis",
    "Duplicate",
    "Fit",
    "Published",
    "Range",
    "Reason",
    "Screening",
    "Unsupported",
    "Weighing",
    "populate",
    "read_published",
    "read_ranges",
    "weigh",
]
