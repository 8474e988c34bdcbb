"""Errors of the Python interface are raised before anything is simulated, in one line.

`bad_input.golden.txt` holds the exact message of each case. `pytest tests/api --update-golden`
rewrites the file; review its diff.
"""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

import qsp
from tests.golden_messages import GoldenMessages

GOLDEN_FILE = Path(__file__).with_name("bad_input.golden.txt")
NHL = qsp.population("nhl")
DRUG = qsp.molecule("mosunetuzumab")
PEOPLE = NHL.sample(2, molecule=DRUG)
DOSE = qsp.iv("1 mg", over="4 h", period="SUD1")
ARM = qsp.regimen(DOSE)


def simulate(arms=ARM, people=PEOPLE, **options):
    return qsp.simulate(arms, people, **{"days": 7, "progress": False, **options})


def traced(function):
    import jax

    return jax.grad(lambda x: function(x) or x)(1.0)


CASES: dict[str, Callable[[], object]] = {
    "unknown molecule": lambda: qsp.molecule("mosunetuzumb"),
    "unknown population": lambda: qsp.population("nlh"),
    "unknown parameter": lambda: DRUG.set("synapse.alhpa", 1.0),
    "parameter of the population": lambda: DRUG.set("t_cells.k_act", "1 1/day"),
    "parameter of the molecule": lambda: NHL.scale("synapse.alpha", 0.5),
    "wrong unit": lambda: PEOPLE.set("t_cells.k_act", "1 L"),
    "parameter is NaN": lambda: PEOPLE.set("t_cells.k_act", math.nan),
    "negative factor": lambda: PEOPLE.scale("t_cells.k_act", -1.0),
    "0 patients": lambda: NHL.sample(0, molecule=DRUG),
    "negative seed": lambda: NHL.sample(2, molecule=DRUG, seed=-1),
    "other number of ids": lambda: NHL.sample(2, molecule=DRUG, ids=[1, 2, 3]),
    "no molecule": lambda: NHL.sample(2, molecule=None),
    "other target": lambda: NHL.sample(2, molecule="teclistamab"),
    "draw of an unknown name": lambda: PEOPLE.at({"t_cells.k_atc": [1.0]}),
    "draws of two lengths": lambda: PEOPLE.at({"t_cells.k_act": [1, 2], "xi_patient": [1, 2, 3]}),
    "unknown patient": lambda: PEOPLE.select([7]),
    "dose is NaN": lambda: qsp.iv(math.nan),
    "dose without a unit": lambda: qsp.iv("60"),
    "negative dose": lambda: qsp.sc("-1 mg"),
    "day is NaN": lambda: qsp.iv("1 mg", day=math.nan),
    "day is text": lambda: qsp.iv("1 mg", day="8 day"),
    "wrong number of periods": lambda: qsp.iv("1 mg", every="7 day", times=4, period=["A", "B"]),
    "times without every": lambda: qsp.iv("1 mg", times=4),
    "no times": lambda: qsp.iv("1 mg", every="7 day", times=0),
    "interval of 0": lambda: qsp.iv("1 mg", every="0 day", times=2),
    "negative duration": lambda: qsp.iv("1 mg", over="-1 h"),
    "rate for an injection": lambda: simulate(qsp.regimen(qsp.sc("1 mg/day"))),
    "empty regimen": lambda: qsp.regimen(),
    "supportive drug alone": lambda: qsp.regimen(qsp.tocilizumab("8 mg/kg", day=1)),
    "text for a dose": lambda: qsp.regimen("60 mg"),
    "first dose on day 2": lambda: qsp.regimen(qsp.iv("1 mg", day=2)),
    "rule without an action": lambda: qsp.when("crs_grade >= 1"),
    "unknown condition": lambda: simulate(
        qsp.regimen(DOSE, rules=qsp.rules(qsp.when("crs_grad >= 1", "hold")))
    ),
    "no arm": lambda: simulate({}),
    "duplicate arm": lambda: simulate([("a", ARM), ("a", ARM)]),
    "dose for an arm": lambda: simulate({"a": DOSE}),
    "days shorter than the last dose": lambda: simulate(
        {"step": qsp.regimen(DOSE, qsp.iv("2 mg", day=8, period="SUD2"))}
    ),
    "days is NaN": lambda: simulate(days=math.nan),
    "days is text": lambda: simulate(days="7 day"),
    "visit after the end": lambda: simulate(visits=[14]),
    "period given twice": lambda: simulate(
        qsp.regimen(DOSE, qsp.iv("2 mg", day=3, period="A"), qsp.iv("2 mg", day=5, period="SUD1"))
    ),
    "unknown method": lambda: simulate(method={"solver": "ROCK5"}),
    "population for people": lambda: simulate(people=NHL),
    "drug by a route it lacks": lambda: simulate(
        qsp.regimen(DOSE, before=qsp.tocilizumab("8 mg/kg", lead="1 h", route="oral"))
    ),
    "tracer for a dose": lambda: traced(lambda x: simulate(qsp.regimen(qsp.iv(x)))),
    "tracer for a parameter": lambda: traced(
        lambda x: simulate(people=PEOPLE.set("synapse.alpha", x))
    ),
    "tracer for a molecule": lambda: traced(lambda x: DRUG.set("synapse.alpha", x)),
    "unknown quantity to save": lambda: simulate(save=["t_cells.active"]),
    "unknown file": lambda: qsp.read("nowhere.toml"),
    "chosen draws in a config": lambda: qsp.Trial.of(ARM, PEOPLE.typical, days=7).to_toml(),
}


@pytest.fixture(scope="module")
def golden(request):
    update = request.config.getoption("--update-golden")
    messages = GoldenMessages(GOLDEN_FILE, CASES, update=update)
    yield messages
    messages.save()


@pytest.mark.parametrize("name", CASES)
def test_message(name, golden, monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("simulated in spite of the error")

    monkeypatch.setattr("qsp.api.simulate.run", refuse)
    with pytest.raises(qsp.QSPError) as caught:
        CASES[name]()
    text = str(caught.value)
    assert " must " in text
    assert "\n" not in text
    golden.check(name, text)
