"""Patients whose distributions are those of published trials, by weights.

`weigh` finds the weights of the patients of a run that meet published distributions and differ
least from equal ones, and reports the published distributions that no weights meet.
"""

from qsp.patients.diagnosis import Conflict, Diagnosis, Duplicate, Fit, Unsupported
from qsp.patients.published import Published, read_published
from qsp.patients.weighing import Weighing, weigh

__all__ = [
    "Conflict",
    "Diagnosis",
    "Duplicate",
    "Fit",
    "Published",
    "Unsupported",
    "Weighing",
    "read_published",
    "weigh",
]
