"""Observations that the model itself made are within its percentiles nine times in ten."""

import numpy as np
import pytest

import qsp
from qsp.endpoints.observed import agreement
from qsp.endpoints.vpc import visual_predictive_check
from qsp.results.observed import at_times

TIMES = np.array([0.17, 0.5, 1.0, 2.0, 4.0, 7.0])
QUANTITIES = {"1": ("drug", "drug_central", "nmol/L"), "2": ("il6", "il6", "pg/mL")}
TRIALS, PATIENTS = 6, 50
POPULATION = qsp.population("nhl")
ARM = qsp.regimen(qsp.iv("1 mg", over="4 h", period="D1"))


def people(count, seed):
    return POPULATION.sample(count, molecule="mosunetuzumab", seed=seed)


def written(path, real):
    """The observations of each trial, in a file of its own."""
    values = {
        dvid: at_times(real[variable].values, real["time"].values, TIMES)
        for dvid, (_, variable, _) in QUANTITIES.items()
    }
    for trial in range(TRIALS):
        file = path / f"observed_{trial}.csv"
        lines = [
            f"{patient},{time},{dvid},{values[dvid][patient, n].item()!r}"
            for patient in range(trial * PATIENTS, (trial + 1) * PATIENTS)
            for dvid in QUANTITIES
            for n, time in enumerate(TIMES)
        ]
        file.write_text("\n".join(["ID,TIME,DVID,DV", *lines]) + "\n")
        yield str(file)


@pytest.mark.slow
def test_observations_of_other_patients_of_the_model_are_covered(tmp_path):
    """Six trials of 50 patients, against 400 simulated ones.

    Percentiles of one trial go together, so that only their mean is near nine in ten.
    """
    real = qsp.simulate({"low": ARM}, people(TRIALS * PATIENTS, 11), days=8, progress=False).ds
    table = {dvid: {"quantity": q, "unit": unit} for dvid, (q, _, unit) in QUANTITIES.items()}
    within, inside = [], []
    for file in written(tmp_path, real.sel(arm="low")):
        observations = {"file": file, "quantities": table}
        run = qsp.simulate(
            {"low": ARM}, people(400, 12), days=8, observations=observations, progress=False
        )
        for each in agreement(run):
            assert each.compared == PATIENTS * len(TIMES)
            within.append(each.within)
        for name, _, _ in QUANTITIES.values():
            check = visual_predictive_check(run, name)
            covered = (check["observed"] >= check["low"]) & (check["observed"] <= check["high"])
            inside.append(float(covered.mean()))
    assert 0.86 < np.mean(within) < 0.94, within
    assert 0.75 < np.mean(inside) < 0.98, inside
