"""The problem of the recorded fit: its parameters, its starts, and what they act on."""

import numpy as np
import pytest

from qsp import simulation
from qsp.calibration.crs_studies import crs_studies
from qsp.calibration.parameters import CRS, RESPONSE, Parameter, read
from qsp.calibration.problem import FILE, Problem, problem
from qsp.calibration.response_studies import response_studies
from qsp.validation.targets import targets

TABLES, PARAMETERS = read(FILE)
SOLVER = 2e-3
"""Relative difference by other steps of the solver, which follow all states."""


def test_starts_are_the_prior_medians_the_recorded_values_and_a_random_point():
    found = Problem(PARAMETERS, (), seed=3)
    starts = found.starts()
    assert list(starts) == ["prior medians", "guesses", "random"]
    assert not starts["prior medians"].any()
    guesses = [p.value(z) for p, z in zip(PARAMETERS, starts["guesses"], strict=True)]
    assert guesses == pytest.approx([p.guess for p in PARAMETERS])
    assert np.array_equal(starts["random"], Problem(PARAMETERS, (), seed=3).starts()["random"])


def test_parameters_of_one_kind_are_left_out_of_a_fit_of_the_other():
    only = problem(kinds=(RESPONSE,), patients=2)
    assert "fever" not in only.names
    assert "kill_rate_FL" in only.names
    assert {each.name for study in only.studies for each in study.parameters} == set(only.names)


def test_no_value_that_is_held_out_is_in_the_fit():
    held_out = {row.id for row in targets() if row.use == "holdout"}
    assert held_out
    names = {row.id for study in problem(patients=2).studies for row in study.rows}
    assert not held_out & names


def changed(study, kind):
    """Results at the recorded values, and with all parameters moved that do not act on a kind."""
    disease = study.prepared.table.cohort.disease
    molecule = study.prepared.table.molecule.name
    silent = tuple(
        each
        for each in PARAMETERS
        if kind not in each.acts_on
        and any(each.applies(molecule, disease, other) for other in each.acts_on)
    )
    assert silent
    for z in (0.0, 0.7):
        moved = type(study)(study.name, study.prepared, silent, study.rows)
        cohort = moved.cohort(np.full(len(silent), z))
        yield simulation.simulate(
            study.prepared.trial,
            cohort,
            system=study.prepared.system,
            method=study.prepared.method,
        ).to_dataset()


@pytest.mark.slow
def test_response_does_not_depend_on_parameters_that_act_on_crs_alone():
    (study,) = response_studies(PARAMETERS, patients=3, seed=1, names=["tarlatamab_response"])
    first, second = changed(study, RESPONSE)
    volume = first["tumor_volume"].values
    assert second["tumor_volume"].values == pytest.approx(volume, rel=SOLVER)
    assert np.ptp(volume) > 1.0


@pytest.mark.slow
def test_crs_does_not_depend_on_parameters_that_act_on_response_alone():
    (study,) = crs_studies(
        PARAMETERS, patients=3, seed=1, days=8.0, names=["tarlatamab"], with_rescue=False
    )
    first, second = changed(study, CRS)
    for name in ("fever_peak", "leak_peak"):
        assert second[name].values == pytest.approx(first[name].values, rel=SOLVER, nan_ok=True)


def test_a_parameter_that_acts_on_nothing_known_is_refused(tmp_path):
    file = tmp_path / "fit.toml"
    file.write_text(
        '[[parameters]]\nname = "x"\npath = "synapse.alpha"\nstart = 1.0\nsd = 1.0\n'
        'acts_on = ["pk"]\n'
    )
    with pytest.raises(Exception, match="acts_on must name crs or response"):
        read(file)
    assert Parameter("x", "synapse.alpha", 1.0, 1.0).acts_on == (CRS, RESPONSE)
