"""Random trials from the public words, for properties of files and source code."""

from hypothesis import strategies as st

import qsp
from qsp.drugs import DRUG_BY_NAME

DAYS = 240
PERIODS = st.sampled_from(["SUD", "FD", "dose a"])
INTERVALS = st.sampled_from(["7 day", "36 hour", 3])
AMOUNTS = {
    "iv": ["1 mg", "0.06 mg/kg", "7 nmol", 2.5],
    "sc": ["5 mg", "0.8 mg/kg", "30 mg/m^2", 48],
    "civ": ["9 ug/day", "15 ug/m^2/day", 0.028],
}
CAPS = {"iv": "4 mg", "sc": "60 mg", "civ": "28 ug/day"}
RULES = (
    qsp.when("worst_grade_ever >= 3", "stop", name="no more after grade 3"),
    qsp.when("crs_grade >= 1", "hold", consecutive_visits=2),
    qsp.when("worst_grade >= 2 and step <= 2", "repeat", max_times=1),
    qsp.when("crs_grade >= 2", give=qsp.tocilizumab("8 mg/kg", over="1 h", cap="800 mg")),
    qsp.when(
        "il6 >= 100 pg/mL",
        give=qsp.siltuximab("11 mg/kg", over="1 h"),
        limits={"per_event": 1, "window": {"doses": 1, "within": "21 day"}},
        max_times=2,
    ),
    qsp.when("days_in_crs > 36 hour", "hold", with_probability=0.25),
    qsp.when("tumor_change <= -50 % and day >= 42 day", "interval", days=42),
)
CHANGES = (
    ("t_cells.k_act", "0.48 1/hour"),
    ("t_cells.k_act", 11.5),
    ("tumor.cells", "2e5 Mcell"),
    ("synapse.alpha", "2e-3"),
    ("disposition.V1", "5 L"),
)


@st.composite
def doses(draw, n, day, *, has_rules):
    """A row of doses from a day on, and the first day after it."""
    route = draw(st.sampled_from(["iv", "sc", "civ"]))
    amount = draw(st.sampled_from(AMOUNTS[route]))
    times = draw(st.integers(1, 3))
    options = {"day": day, "times": times, "every": draw(INTERVALS) if times > 1 else None}
    if "/kg" in str(amount) or "/m^2" in str(amount):
        options["cap"] = draw(st.sampled_from([None, CAPS[route]]))
    if route != "sc":
        options["over"] = draw(st.sampled_from(["4 h", 0.1, *([] if route == "civ" else [None])]))
    stem = f"{draw(PERIODS)}{n}."
    names = [None, stem, [stem], [f"{stem}{chr(98 + k)}" for k in range(times)]]
    options["period"] = draw(st.sampled_from(names))
    if n and has_rules:
        options["min_interval"] = draw(st.sampled_from([None, "1 day", 1.25]))
    word = {"iv": qsp.iv, "sc": qsp.sc, "civ": qsp.civ}[route]
    return word(amount, **options), day + 7.0 * times + draw(st.integers(0, 56)) / 4


@st.composite
def supportive(draw, period):
    """A supportive drug before doses, or on days of its own."""
    drug = DRUG_BY_NAME[draw(st.sampled_from(sorted(DRUG_BY_NAME)))]
    route = draw(st.sampled_from(drug.routes))
    options = {"route": route}
    if route == "iv":
        options["over"] = draw(st.sampled_from(["2 h", *([None] if drug.has_bolus else [])]))
    amount = draw(st.sampled_from([drug.example, 20, "8 mg/kg"]))
    if amount == "8 mg/kg":
        options["cap"] = draw(st.sampled_from([None, "800 mg", 600.0]))
    if draw(st.booleans()):
        times = draw(st.integers(1, 3))
        options |= {"day": draw(st.integers(-1, 3)), "times": times}
        options["every"] = draw(INTERVALS) if times > 1 else None
    else:
        options["lead"] = draw(st.sampled_from(["1 h", "30 minute", 0.125]))
        options |= draw(
            st.sampled_from(
                [{}, {"until_day": 22}, {"from_day": 1, "until_day": 8.5}, {"periods": [period]}]
            )
        )
    return getattr(qsp, drug_name(draw, drug))(amount, **options)


def drug_name(draw, drug):
    """A drug or, for a steroid, one that is dosed as its equivalent."""
    names = [name for name, other in DRUG_BY_NAME.items() if other is drug]
    return draw(st.sampled_from(names))


@st.composite
def regimens(draw, *, has_rules):
    rows, day = [], 1.0
    for n in range(draw(st.integers(1, 3))):
        row, day = draw(doses(n, day, has_rules=has_rules))
        rows.append(row)
    drugs = draw(st.lists(supportive(qsp.regimen(*rows).periods[0]), max_size=3))
    rules = qsp.rules(
        *(rule for rule in RULES if draw(st.booleans())),
        visits=[("12 h", 1, 21), (7, 28.5, 56)],
        missed="5 %",
        dropout=0.1,
        assay={"il6": "20 %", "tumor": "10 %"},
    )
    changes = {"t_cells.k_act": "1 1/hour", "targets.baseline.normal.skin": "0 Mcell"}
    return qsp.regimen(
        *rows,
        *(drug for drug in drugs if drug.time is not None),
        before=[drug for drug in drugs if drug.time is None],
        rules=rules if has_rules else None,
        title=draw(st.sampled_from(["", 'Step-up "1/2/60"', "höher\\"])),
        parameters=draw(st.sampled_from([{}, changes])),
    )


@st.composite
def people(draw, molecules, populations):
    """Patients: sampled, selected, typical or at chosen draws, with changed parameters."""
    drug, cohort = draw(molecules), draw(populations)
    if draw(st.booleans()):
        drug = drug.scale("binding.KD_CD3", draw(st.floats(0.1, 3.0)))
        cohort = cohort.set("t_cells.k_XR", 0.25, keep_spread=draw(st.booleans()))
    n, seed = draw(st.integers(1, 4)), draw(st.integers(0, 2**32 - 1))
    numbers = draw(st.lists(st.integers(0, 10**6), min_size=n, max_size=n, unique=True))
    found = cohort.sample(n, molecule=drug, seed=seed, ids=draw(st.sampled_from([None, numbers])))
    for path, value in draw(st.lists(st.sampled_from(CHANGES), max_size=2)):
        found = found.set(path, value, keep_spread=path != "disposition.V1")
        found = found.scale(path, draw(st.sampled_from([1.0, 0.5, 3])))
    kind = draw(st.sampled_from(["sampled", "selected", "typical", "draws"]))
    if kind == "selected":
        return found.select([found.ids[-1]])
    if kind == "typical":
        return found.typical
    if kind == "draws":
        z = draw(st.lists(st.floats(-4, 4), min_size=n, max_size=n))
        at = found.at({"t_cells.k_act": z, "covariates.age": 1.0, "xi_patient": -0.5})
        return at.select([n - 1]) if draw(st.booleans()) else at
    return found


@st.composite
def trials(draw, molecules, populations):
    """Trials with one to three arms; all arms with rules have the same visits."""
    names = draw(st.lists(st.sampled_from(["a", "b c", "d.e"]), min_size=1, unique=True))
    arms = {name: draw(regimens(has_rules=draw(st.booleans()))) for name in names}
    patients = draw(people(molecules, populations))
    chosen = draw(st.sampled_from([None, 1, patients.ids[:1]]))
    return qsp.Trial.of(
        arms,
        patients,
        days=DAYS,
        visits=draw(st.sampled_from([(), [42, "12 week"]])),
        title=draw(st.sampled_from(["", 'A "trial"'])),
        author=draw(st.sampled_from(["", "A. Author"])),
        method=draw(st.sampled_from([None, {"rtol": 1e-6}, {"solver": "Kvaerno5"}])),
        response=draw(st.sampled_from([None, "recist"])),
        trajectories=chosen,
        reference=draw(st.sampled_from([None, *arms])),
        utility=draw(st.sampled_from([None, {"grade3": -3}, {"response": 2.0, "grade2": 0}])),
    )
