"""A dose far above the approved ones has a note, and no other dose."""

import pytest

from qsp import shipped
from qsp.run import Request, prepare
from tests.run.conftest import call

CONFIG = "mosunetuzumab_step_up_vs_flat"
FULL = "arms.step_up.doses.2.amount"


def notes(config, *overrides):
    return prepare(Request(shipped.find("configs", config), ("patients=2", *overrides))).notes


@pytest.mark.parametrize("amount", ["76 g", "900 mg/kg"])
def test_dose_in_a_wrong_unit_has_a_note(amount):
    (note,) = notes(CONFIG, f"{FULL}={amount}")
    assert note.startswith("the largest dose of arm 'step_up', ")
    assert note.endswith("times the largest approved dose of mosunetuzumab, 60 mg. Check its unit.")


@pytest.mark.parametrize("amount", ["600 mg", "8 mg/kg"])
def test_dose_up_to_ten_times_the_approved_one_has_none(amount):
    assert notes(CONFIG, f"{FULL}={amount}") == ()


@pytest.mark.parametrize("config", ["strategies/target_doses", "tebentafusp_step_up"])
def test_shipped_configs_have_none(config):
    assert notes(config) == ()


def test_check_prints_the_note():
    done = call("check", CONFIG, "--set", f"{FULL}=76 g")
    assert done.code == 0
    assert "76,000 mg in a patient of 75 kg, is 1,267 times the largest" in done.out


def test_error_in_patients_names_the_option():
    done = call("run", CONFIG, "--patients", "0")
    assert done.code == 2
    assert "'--patients'" in done.err
    assert "--set" not in done.err
