"""Published IL-6 in samples at a fixed time after a dose, as distributions to weigh patients to.

They are not in the files of `qsp weigh`, as results have the peak of a patient, not the value at a
time. Here the time course of each patient is read at the time of the sample.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import xarray as xr

from qsp.patients import Published
from qsp.run import Prepared
from qsp.validation.study import APPROVED, HOURS_PER_DAY, start_of
from qsp.validation.targets import Target, targets

STATISTIC = "il6_median"
PATIENTS = 68
"""Patients of the dose escalation of epcoritamab; the number of samples is not published."""
DETECTED = 0.75
"""Quartiles up to here are at the limit of detection, digitized as 0.67 to 0.72 [pg/mL]."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """A published distribution of IL-6 at a time after a dose.

    Args:
        target: Row of the published values, with quartiles as low and high.
        time: Time of the sample [day].
    """

    target: Target
    time: float

    @property
    def name(self) -> str:
        """Name of the variable, such as "il6_24h_after_FD1"."""
        return f"il6_{self.target.hours:g}h_after_{self.target.periods[0]}"

    @property
    def published(self) -> Published:
        """The distribution: median and quartiles that were detected."""
        points = ((self.target.low, 0.25), (self.target.value, 0.5), (self.target.high, 0.75))
        kept = [(value, share) for value, share in points if value > DETECTED]
        at_most, shares = (np.array(each, float) for each in zip(*kept, strict=True))
        unit, source = self.target.unit, self.target.source
        return Published(
            self.name, "", "", unit, source, PATIENTS, at_most, shares, where=self.target.id
        )


def samples_of(study: str, prepared: Prepared) -> list[Sample]:
    """Return the published samples with quartiles under the approved regimen of a study."""
    return [
        Sample(each, start_of(prepared, APPROVED, each.periods[0]) + each.hours / HOURS_PER_DAY)
        for each in targets()
        if (each.config, each.statistic) == (study, STATISTIC)
        and list(each.arms) == [APPROVED]
        and np.isfinite([each.hours, each.low, each.high]).all()
    ]


def with_samples(ds: xr.Dataset, courses: xr.Dataset, samples: Sequence[Sample]) -> xr.Dataset:
    """Return values of patients with their IL-6 at the times of samples.

    Args:
        ds: Values of patients.
        courses: Time courses of the same patients.
        samples: The samples.
    """
    il6 = courses["il6"].sel(arm=APPROVED)
    for each in samples:
        values = il6.sel(time=each.time, method="nearest").transpose("patient").values
        ds = ds.assign({each.name: ("patient", values, {"units": il6.attrs["units"]})})
    return ds
