"""Populations with published distributions of their patients, for `qsp weigh`.

A file of `data/weights` has the columns that `qsp.patients.published` describes, with values of one
trial or pooled analysis as far as one publishes them. It has covariates, tumor burden, T cells and
IL-6, never rates of CRS or response, which the model shall predict. The arm is that of a config of
`configs/approved`.

A source that was read says so; that of a value from memory ends in `RECALLED`, and such values are
never counted. Counts of T cells per volume are multiplied by 5 L of blood. Left out are

* IL-6 in a sample at a fixed time, which is not the peak of a patient, and peaks of only those
  patients who had CRS;
* means, ranges, and quartiles at the limit of detection;
* weights of a cohort with children, and the sum of lesions by groups of diameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from qsp.validation.study import DATA

FOLDER = DATA / "weights"
RECALLED = "; recalled"
"""End of the source of a value from memory."""
STUDIES: Mapping[str, str] = MappingProxyType(
    {
        "nhl": "mosunetuzumab_iv",
        "nhl_fl": "mosunetuzumab_fl",
        "nhl_dlbcl": "epcoritamab_dlbcl",
        "myeloma": "elranatamab",
        "sclc": "tarlatamab",
        "uveal_melanoma": "tebentafusp",
        "b_all": "blinatumomab_all",
    }
)
"""Study by population; its approved regimen is that of the targets."""


def targets_of(population: str) -> Path:
    """Return the file of the published distributions of a population, one of `STUDIES`."""
    return FOLDER / f"{population}.csv"
