"""Errors of the Python interface are raised before anything is simulated, in one line.

`bad_input.golden.txt` holds the exact message of each case. `pytest tests/api --update-golden`
rewrites the file; review its diff.
"""

import contextlib
import math
from collections.abc import Callable
from pathlib import Path

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import qsp
from qsp.engine.method import Method
from tests.golden_messages import GoldenMessages

GOLDEN_FILE = Path(__file__).with_name("bad_input.golden.txt")
NHL = qsp.population("nhl")
DRUG = qsp.molecule("mosunetuzumab")
PEOPLE = NHL.sample(2, molecule=DRUG)
DOSE = qsp.iv("1 mg", over="4 h", period="SUD1")
ARM = qsp.regimen(DOSE)


def simulate(arms=ARM, people=PEOPLE, **options):
    return qsp.simulate(arms, people, **{"days": 7, "progress": False, **options})


def trajectory(regimen=ARM, people=PEOPLE.typical, **options):
    return qsp.trajectory(regimen, people, **{"days": 7, **options})


def traced(function):
    return jax.grad(lambda x: function(x) or x)(jnp.ones(()))


@contextlib.contextmanager
def compiled_programs():
    """Record each program that JAX compiles or reads from its cache."""
    events = []

    def record(event, _seconds, **_details):
        if event == "/jax/core/compile/backend_compile_duration":
            events.append(event)

    jax.monitoring.register_event_duration_secs_listener(record)
    try:
        yield events
    finally:
        jax.monitoring.unregister_event_duration_listener(record)


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
    "tracer for a day": lambda: traced(
        lambda x: simulate(qsp.regimen(DOSE, qsp.iv("2 mg", day=x)), days=21)
    ),
    "tracer for a duration": lambda: traced(lambda x: qsp.iv("1 mg", over=x)),
    "tracer for days": lambda: traced(lambda x: simulate(days=x)),
    "tracer for a factor": lambda: traced(lambda x: PEOPLE.scale("synapse.alpha", x)),
    "tracer in a config": lambda: traced(
        lambda x: qsp.Trial.of(qsp.regimen(qsp.iv(x)), PEOPLE, days=7).to_toml()
    ),
    "tracer in a table of parameters": lambda: traced(
        lambda x: PEOPLE.set("synapse.alpha", x).parameters
    ),
    "tracer for a population": lambda: traced(lambda x: NHL.set("t_cells.k_act", x)),
    "tracer for a molecule": lambda: traced(lambda x: DRUG.set("synapse.alpha", x)),
    "trajectory of several patients": lambda: trajectory(people=PEOPLE),
    "trajectory of a population": lambda: trajectory(people=NHL),
    "trajectory of a dose": lambda: trajectory(DOSE),
    "trajectory with rules": lambda: trajectory(
        qsp.regimen(
            DOSE, rules=qsp.rules(qsp.when("crs_grade >= 1", "hold"), visits=[("1 day", 1, 7)])
        )
    ),
    "trajectory of 0 days": lambda: trajectory(days=0),
    "trajectory of traced days": lambda: traced(lambda x: trajectory(days=x)),
    "trajectory in an unknown mode": lambda: trajectory(adjoint="backward"),
    "trajectory by another method": lambda: trajectory(method=Method(solver="Tsit5")),
    "trajectory by a table with another solver": lambda: trajectory(method={"solver": "Tsit5"}),
    "trajectory by a table with an unknown key": lambda: trajectory(method={"rtoll": 1e-8}),
    "trajectory by the name of a solver": lambda: trajectory(method="ROCK4"),
    "trajectory of days as text": lambda: trajectory(days="7 day"),
    "trajectory with a traced first day": lambda: traced(
        lambda x: trajectory(qsp.regimen(qsp.iv("1 mg", day=x), DOSE))
    ),
    "trajectory with a traced day and a window": lambda: traced(
        lambda x: trajectory(
            qsp.regimen(
                DOSE,
                qsp.iv("2 mg", day=x),
                before=qsp.dexamethasone("20 mg", lead="1 h", until_day=8),
            )
        )
    ),
    "tracer for several amounts of a trajectory": lambda: traced(
        lambda x: trajectory(qsp.regimen(qsp.iv(x * np.ones(2))))
    ),
    "unknown quantity to save": lambda: simulate(save=["t_cells.active"]),
    "unknown file": lambda: qsp.read("nowhere.toml"),
    "unknown arm name type": lambda: simulate({1: ARM}),
    "scale of the population on a molecule": lambda: DRUG.scale("t_cells.k_act", 0.5),
    "set of the molecule on a population": lambda: NHL.set("synapse.alpha", "2e-3"),
    "last part of a path": lambda: DRUG.scale("alpha", 0.5),
    "covariate as a parameter": lambda: PEOPLE.set("body_weight", "70 kg"),
    "band of an unknown cytokine": lambda: qsp.endpoints.bands(xr.Dataset(), "il6"),
    "unknown parameter of a population": lambda: NHL.set("t_cells.k_atc", "1 1/day"),
    "unknown parameter of an arm": lambda: simulate(
        qsp.regimen(DOSE, parameters={"t_cells.k_atc": "1 1/day"})
    ),
    "tracer for a factor of a molecule": lambda: traced(lambda x: DRUG.scale("synapse.alpha", x)),
    "tracer for a visit": lambda: traced(lambda x: simulate(visits=[x])),
    "tracer for an interval": lambda: traced(
        lambda x: simulate(qsp.regimen(qsp.iv("2 mg", every=x, times=3)))
    ),
    "tracer for the number of patients": lambda: traced(lambda x: NHL.sample(x, molecule=DRUG)),
    "tracer for the seed": lambda: traced(lambda x: NHL.sample(2, molecule=DRUG, seed=x)),
    "tracer for a draw": lambda: traced(lambda x: PEOPLE.at({"xi_patient": [x]})),
    "tracer for a supportive drug": lambda: traced(
        lambda x: simulate(qsp.regimen(DOSE, before=qsp.dexamethasone(x, lead="1 h")))
    ),
    "amount is a concentration": lambda: qsp.iv("60 ng/mL"),
    "amount is a volume": lambda: qsp.iv("5 mL"),
    "amount for a rate": lambda: simulate(qsp.regimen(qsp.civ("9 ug", over="5 day"))),
    "amount of a supportive drug in moles": lambda: simulate(
        qsp.regimen(DOSE, before=qsp.dexamethasone("20 nmol", lead="1 h"))
    ),
    "cap of a flat amount": lambda: simulate(qsp.regimen(qsp.iv("1 mg", cap="2 mg"))),
    "duration is a mass": lambda: qsp.iv("1 mg", over="4 mg"),
    "interval without a unit": lambda: qsp.iv("1 mg", every="7", times=3),
    "every without times": lambda: qsp.iv("1 mg", every="7 day"),
    "times without every of a supportive drug": lambda: qsp.dexamethasone("20 mg", day=1, times=3),
    "negative dose of a supportive drug": lambda: qsp.tocilizumab("-8 mg/kg", lead="1 h"),
    "negative lead": lambda: qsp.dexamethasone("20 mg", lead="-1 h"),
    "supportive drug at no time": lambda: simulate(
        qsp.regimen(DOSE, before=qsp.dexamethasone("20 mg"))
    ),
    "supportive drug at two times": lambda: qsp.regimen(
        DOSE, before=qsp.dexamethasone("20 mg", lead="1 h", day=1)
    ),
    "value of an arm in a wrong unit": lambda: simulate(
        qsp.regimen(DOSE, parameters={"t_cells.k_act": "1 L"})
    ),
    "supportive drug before an unknown period": lambda: simulate(
        qsp.regimen(DOSE, before=qsp.dexamethasone("20 mg", lead="1 h", periods="SUD2"))
    ),
    "day of a supportive drug is NaN": lambda: qsp.dexamethasone("20 mg", day=math.nan),
    "one period name for two doses in a row": lambda: simulate(
        days=28,
        arms=qsp.regimen(
            qsp.iv("1 mg", period="FD1"),
            qsp.iv("60 mg", day=8, every="7 day", times=2, period="FD"),
            qsp.iv("60 mg", day=22, period="FD1"),
        ),
    ),
    "two names of periods alike": lambda: simulate(
        days=28, arms=qsp.regimen(qsp.iv("1 mg", every="7 day", times=2, period=["A", "A"]))
    ),
    "two periods begin together": lambda: simulate(
        qsp.regimen(qsp.sc("1 mg", period="A"), qsp.sc("2 mg", period="B"))
    ),
    "period is empty": lambda: simulate(qsp.regimen(qsp.iv("1 mg", period=""))),
    "times is a fraction": lambda: qsp.iv("1 mg", every="7 day", times=2.0),
    "0 ids": lambda: PEOPLE.select([]),
    "patients is text": lambda: NHL.sample("200", molecule=DRUG),
    "unknown key of the method": lambda: simulate(method={"rtoll": 1e-6}),
    "name with a space": lambda: simulate(name="my trial"),
    "unknown response criteria": lambda: qsp.Trial.of(ARM, PEOPLE, days=7, response="recis"),
    "saved patient that is none of the trial": lambda: qsp.Trial.of(
        ARM, PEOPLE, days=7, trajectories=[7]
    ),
    "ids in another order": lambda: PEOPLE.at({"xi_patient": [0.0, 1.0]}, ids=[3, 1]),
    "unknown action": lambda: simulate(
        qsp.regimen(DOSE, rules=qsp.rules(qsp.when("crs_grade >= 1", "holt")))
    ),
    "arms with other visits": lambda: simulate(
        {
            "a": qsp.regimen(DOSE, rules=qsp.rules(visits=[("1 day", 1, 5)])),
            "b": qsp.regimen(DOSE, rules=qsp.rules(visits=[("2 day", 1, 5)])),
        }
    ),
    "dose is None": lambda: qsp.iv(None),
    "dose is a list": lambda: qsp.iv([1, 2]),
    "day is None": lambda: qsp.iv("1 mg", day=None),
    "several days of one dose": lambda: qsp.iv("1 mg", day=np.array([1.0, 8.0])),
    "cap is NaN": lambda: qsp.iv("1 mg/kg", cap=math.nan),
    "cap is a duration": lambda: qsp.tocilizumab("8 mg/kg", lead="1 h", cap="4 h"),
    "negative minimum interval": lambda: qsp.sc("5 mg", min_interval="-1 day"),
    "period is a number": lambda: qsp.iv("1 mg", period=1),
    "factor is text": lambda: PEOPLE.scale("synapse.alpha", "half"),
    "value is None": lambda: PEOPLE.set("synapse.alpha", None),
    "no draw": lambda: PEOPLE.at({"xi_patient": []}),
    "draw is NaN": lambda: PEOPLE.at({"xi_patient": math.nan}),
    "text before a dose": lambda: qsp.regimen(DOSE, before="20 mg"),
    "arms without names": lambda: simulate([ARM, ARM]),
    "text for arms": lambda: simulate("step"),
    "one visit without a list": lambda: simulate(visits=7),
    "text for visits": lambda: simulate(visits="7 day"),
    "source of a dose table": lambda: qsp.read("mosunetuzumab_dose_table").to_python(),
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

    for solver in ("api.simulate.run", "api.simulate.run_into", "api.trajectory._solved"):
        monkeypatch.setattr(f"qsp.{solver}", refuse)
    with pytest.raises(qsp.QSPError) as caught, compiled_programs() as programs:
        CASES[name]()
    # JAX compiles scalar operations on the tracer itself.
    assert programs == [] or name.startswith("tracer")
    text = str(caught.value)
    assert " must " in text
    assert "\n" not in text
    golden.check(name, text)


@pytest.mark.parametrize(
    ("word", "key", "near"),
    [
        (qsp.iv, "dya", ""),
        (qsp.sc, "over", ""),
        (qsp.dexamethasone, "leed", "Did you mean 'lead'"),
        (qsp.tocilizumab, "period", "Did you mean 'periods'"),
    ],
)
def test_unknown_keyword_names_the_word(word, key, near):
    with pytest.raises(TypeError) as caught:
        word("1 mg", **{key: 1})
    assert f"{word.__name__}() got an unexpected keyword argument {key!r}" in str(caught.value)
    assert near in str(caught.value)
