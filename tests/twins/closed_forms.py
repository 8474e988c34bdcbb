"""Closed-form pharmacokinetic models that serve as simulators.

Parameters have the shape (patient, simulation); doses and times (patient, dose) and (patient,
observation) are padded with amounts of 0.
"""

import csv
import dataclasses
from pathlib import Path

import numpy as np

from qsp.twins.likelihood import Measured
from qsp.twins.sums import sum_in_order

DATA = Path(__file__).parent / "data"


@dataclasses.dataclass(frozen=True)
class Study:
    """Doses and measurements of all patients.

    Args:
        dose_time, amount: (patient, dose).
        time, value: (patient, observation).
        is_used: (patient, observation).
    """

    dose_time: np.ndarray
    amount: np.ndarray
    time: np.ndarray
    value: np.ndarray
    is_used: np.ndarray

    def patients(self, chosen):
        return Study(*(getattr(self, each.name)[chosen] for each in dataclasses.fields(self)))

    def measured(self, error, is_below=None):
        return Measured(self.value, error, is_below, self.is_used)


def study(doses, samples):
    """Pad lists of (time, amount) and (time, value) by patient."""
    dose_time, amount, _ = padded(doses)
    return Study(dose_time, amount, *padded(samples))


def padded(pairs):
    width = max(len(each) for each in pairs)
    first, second, used = np.zeros((3, len(pairs), width))
    for row, each in enumerate(pairs):
        for column, (a, b) in enumerate(each):
            first[row, column], second[row, column], used[row, column] = a, b, 1
    return first, second, used.astype(bool)


def read(name):
    """Read a file with ADDL and II expanded; observations are rows with EVID 0."""
    doses, samples = {}, {}
    with (DATA / name).open() as file:
        for row in csv.DictReader(file):
            number, time = int(row["ID"]), float(row["TIME"])
            doses.setdefault(number, [])
            samples.setdefault(number, [])
            if row["EVID"] == "0":
                samples[number].append((time, float(row["DV"])))
            else:
                every, more = float(row.get("II", 0)), int(row.get("ADDL", 0))
                times = [time + k * every for k in range(more + 1)]
                doses[number] += [(each, float(row["AMT"])) for each in times]
    return study(list(doses.values()), list(samples.values()))


def one_compartment_oral(data, ka, cl, v):
    """Concentration (patient, simulation, observation) after doses into a depot."""
    ka, cl, v = (each[..., None, None] for each in (ka, cl, v))
    after = (data.time[:, :, None] - data.dose_time[:, None])[:, None]
    k, t = cl / v, np.maximum(after, 0.0)
    each = data.amount[:, None, None] * ka / (v * (ka - k)) * (np.exp(-k * t) - np.exp(-ka * t))
    return sum_in_order(np.where(after > 0.0, each, 0.0))


def two_compartments(data, duration, cl, v1, q, v2):
    """Concentration after infusions of a duration (patient, dose): sum of two exponentials."""
    cl, v1, q, v2 = np.broadcast_arrays(cl, v1, q, v2)
    k10, k12, k21 = (each[..., None, None] for each in (cl / v1, q / v1, q / v2))
    total, product = k10 + k12 + k21, k10 * k21
    root = np.sqrt(total**2 - 4.0 * product)
    fast, slow = (total + root) / 2.0, (total - root) / 2.0
    after = (data.time[:, :, None] - data.dose_time[:, None])[:, None]
    length = duration[:, None, None]
    rate = data.amount[:, None, None] / length / v1[..., None, None]
    on, off = np.clip(after, 0.0, length), np.maximum(after - length, 0.0)
    found = np.zeros(1)
    for own, other in ((fast, slow), (slow, fast)):
        share = (k21 - own) / (other - own)
        found = found + rate * share / own * -np.expm1(-own * on) * np.exp(-own * off)
    return sum_in_order(found)
