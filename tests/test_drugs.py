"""A supportive drug is one file, one line of `qsp.drugs` and its values in physiology.toml."""

import ast
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import jax.numpy as jnp
import pytest

from qsp.drugs import COMPETITOR, DOSE_KINDS, DRUG_BY_NAME, DRUGS
from qsp.interventions import INTERVENTIONS, independent
from qsp.model.effects import Effects
from qsp.results.trial_record import trial_record
from qsp.run.listing import dose_rows
from qsp.trial import Amount, Arm, Dose, Trial, prescribe
from qsp.units import declarations

ROOT = Path(__file__).parents[1]
NAMES = [drug.name for drug in DRUGS]
# A mark and a color are optional: other drugs have the default of the figure.
STYLED = "qsp/plots/time_course.py"


def words(path):
    """Identifiers, modules and whole strings of a Python file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for field in ("id", "attr", "arg", "name", "value", "module"):
            word = getattr(node, field, None)
            if isinstance(word, str):
                yield word.rpartition(".")[2]


@pytest.mark.parametrize("name", NAMES)
def test_code_names_a_drug_in_its_own_file_and_in_the_list_of_drugs(name):
    files = sorted((ROOT / "qsp").rglob("*.py"))
    found = {path.relative_to(ROOT).as_posix() for path in files if name in words(path)}
    own = set() if name == COMPETITOR.name else {f"qsp/interventions/{name}.py"}
    assert found - {STYLED} - own == {"qsp/drugs.py"}


def test_order_of_the_kinds_of_dose_is_that_of_result_files():
    assert (
        *("drug_iv", "drug_sc", "tocilizumab", "dexamethasone", "jak_inhibitor", "anti_tnf"),
        *("siltuximab", "anakinra", "kinase_inhibitor", "obinutuzumab"),
    ) == DOSE_KINDS


def test_equivalents_of_a_steroid_are_doses_of_it():
    """4 mg methylprednisolone, 5 mg prednisone and 20 mg hydrocortisone are 0.75 mg."""
    mg = {"methylprednisolone": 4.0, "prednisone": 5.0, "hydrocortisone": 20.0}
    for name, amount in mg.items():
        drug = DRUG_BY_NAME[name]
        assert drug.name == "dexamethasone"
        assert amount * drug.equivalents[name] == pytest.approx(0.75)


@pytest.mark.parametrize("name", INTERVENTIONS)
def test_record_of_a_drug_fits_its_classes(name):
    drug = INTERVENTIONS[name]
    parameters = {item.path for item in declarations(drug.parameters)}
    assert drug.entry in {item.path for item in declarations(drug.state)}
    assert drug.acts_on in {item.path for item in declarations(Effects)}
    assert parameters >= {*drug.positive, *drug.fractions}


def test_listing_shows_the_route_of_each_drug():
    drugs = [Dose(drug.name, 1.0, Amount(1.0), duration=0.1) for drug in DRUGS]
    doses = [Dose("drug_iv", 0.0, Amount(1.0), period="FD1"), *drugs]
    regimen = prescribe(doses, molecular_weight_kda=150.0, days=8.0, where="arm")
    trial = Trial("t", (Arm("a", (regimen,)),), 8.0, (), 1, "molecule", 150.0)
    shown = {row["drug"]: row["route"] for row in dose_rows(trial_record(trial))}
    assert shown["anakinra"] == "SC"
    assert shown["jak inhibitor"] == shown["kinase inhibitor"] == "oral"
    assert shown["tocilizumab"] == shown["dexamethasone"] == "IV"


def test_drugs_on_one_pathway_act_independently():
    half, fifth = jnp.asarray(0.5), jnp.asarray(0.2)
    assert float(independent([half, fifth], are_free=True)) == pytest.approx(0.1)
    assert float(independent([half, fifth], are_free=False)) == pytest.approx(0.6)
    assert independent([half], are_free=False) is half


NEW_FILE = '''
"""Made-up antibody against the IL-6 receptor."""

import equinox as eqx

from qsp.interventions.intervention import Intervention
from qsp.typing import Scalar
from qsp.units import quantity


class MadeUpParameters(eqx.Module):
    CL: Scalar = quantity("L/day", "Clearance")
    V: Scalar = quantity("L", "Volume")
    KD: Scalar = quantity("mg/L", "Concentration that blocks half the receptors")


class MadeUp(eqx.Module):
    central: Scalar = quantity("mg", "Made-up antibody")


def made_up_rates(x, dosing, p):
    return MadeUp(central=dosing - p.CL / p.V * x.central)


def free(x, p):
    return 1.0 / (1.0 + x.central / (p.V * p.KD))


INTERVENTION = Intervention(
    MadeUpParameters,
    MadeUp,
    entry="central",
    rates=made_up_rates,
    acts_on="il6r_free",
    effect=free,
    positive=("V", "KD"),
)
'''
NEW_LINE = '    SupportiveDrug("made_up", routes=("iv",)),\n'
NEW_VALUES = """
[supportive.made_up]
CL = { value = "0.3 L/day", status = "assumed" }
V = { value = "4 L", status = "assumed" }
KD = { value = "1 mg/L", status = "assumed" }

[[correlations]]
"""
NEW_CONFIG = """
molecule = "mosunetuzumab"
population = "nhl"
patients = 2
days = 4
response = "lugano"
[premedication.antibody]
drug = "made_up"
amount = "8 mg/kg"
route = "iv"
duration = "1 hour"
before = "2 hour"
[arms.alone]
doses = [{ period = "FD1", time = "0 day", amount = "60 mg", route = "iv", duration = "4 hour" }]
[arms.with]
same_doses_as = "alone"
premedication = ["antibody"]
"""
RUN = """
import jax
jax.config.update("jax_enable_x64", True)
from qsp.run import Request, prepare, run
ds = run(prepare(Request("trial.toml"))).to_dataset()
assert (ds["outcome"] == 0).all()
peak = ds["il6_peak"].isel(dose_period=0)
assert (peak.sel(arm="with") > 1.3 * peak.sel(arm="alone")).all(), peak
severity = ds["crs_severity_peak"].isel(dose_period=0)
assert (severity.sel(arm="with") < severity.sel(arm="alone")).all(), severity
"""


def inserted(path, before, text):
    """Insert a text before the first occurrence of another."""
    old = path.read_text(encoding="utf-8")
    assert before in old
    path.write_text(old.replace(before, text, 1), encoding="utf-8")


@pytest.mark.slow
def test_a_new_drug_is_a_file_a_line_and_its_values(tmp_path):
    """A second blocker of the IL-6 receptor, added to a copy: IL-6 rises and severity falls."""
    for folder in ("qsp", "populations"):
        copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "qsp/interventions/made_up.py").write_text(NEW_FILE, encoding="utf-8")
    inserted(tmp_path / "qsp/drugs.py", "    COMPETITOR,\n)", f"    COMPETITOR,\n{NEW_LINE})")
    inserted(tmp_path / "qsp/model/physiology.toml", "\n[[correlations]]\n", NEW_VALUES)
    (tmp_path / "trial.toml").write_text(NEW_CONFIG, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
