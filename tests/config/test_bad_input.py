"""Invalid configs are reported in one line, before anything is compiled.

Each case changes one thing in a valid config or dose table; `bad_input.golden.txt` holds the exact
message of each. `pytest tests/config --update-golden` rewrites the file; review its diff.
"""

import pathlib

import pytest

from qsp.config import load
from qsp.errors import ConfigError
from tests.config.bad_caps import CAPS, STEP_1
from tests.config.bad_rules import RULES
from tests.config.valid_input import (
    CONFIG,
    FD1_TIME,
    FLAT_DOSE,
    LAST_DOSE,
    SUD2,
    TABLE,
    TABLE_CONFIG,
)
from tests.golden_messages import GoldenMessages, read_messages

GOLDEN_FILE = pathlib.Path(__file__).with_name("bad_input.golden.txt")

# Name of the case: text of the valid config, its replacement.
CHANGED_CONFIG = {
    "syntax error": ("days = 28", "days = 28 day"),
    "key given twice": ("seed = 1", "seed = 1\nseed = 2"),
    "arm name used twice": ("[arms.copy]", "[arms.flat]"),
    "unknown key": ("patients = 20", "pateints = 20"),
    **RULES,
    "unknown key far from any": ("seed = 1", "font = 1"),
    "values of the model in a config": ("seed = 1\n", "seed = 1\nsynapse = { alpha = '1e-3' }\n"),
    "unknown key in a dose": (FLAT_DOSE, f'{FLAT_DOSE}, infusion = "2 hour"'),
    "unknown key in the method": ("rtol = 1e-5", "atol = 1e-5"),
    "unknown recruitment": ("rtol = 1e-5", 'recruitment = "adaptive"'),
    "missing key": ('molecule = "mosunetuzumab"', ""),
    "missing key in a dose": (FD1_TIME, 'period = "FD1"'),
    "no arms": (CONFIG[CONFIG.index("[arms.step_up]") :], ""),
    "arms and dose table": ("[method]", '[dose_table]\nfile = "doses.csv"\n[method]'),
    "arm without doses": ('same_doses_as = "flat"', 'title = "nothing"'),
    "arm is a text": ('[arms.copy]\nsame_doses_as = "flat"', '[arms]\ncopy = "flat"'),
    "doses are a table": (f'[{{ period = "FD1", time = "0 day", {FLAT_DOSE} }}]', "{}"),
    "name is a path": ("seed = 1", 'name = "runs/first"'),
    "name is empty": ("seed = 1", 'name = ""'),
    "patients 0": ("patients = 20", "patients = 0"),
    "patients as text": ("patients = 20", 'patients = "20"'),
    "patients is true": ("patients = 20", "patients = true"),
    "patients in another order": ("patients = 20", "patients = [5, 3]"),
    "patients with a negative id": ("patients = 20", "patients = [-1, 3]"),
    "patients by another word": ("patients = 20", 'patients = "typicl"'),
    "draws are text": ("seed = 1", 'draws = { xi_patient = "0.5" }'),
    "draws are a list": ("seed = 1", "draws = [0.5]"),
    "draw is not finite": ("seed = 1", "draws = { xi_patient = [nan] }"),
    "other number of draws": ("seed = 1", "draws = { xi_patient = [0.5, 1.0] }"),
    "draws of the typical patient": (
        "patients = 20",
        'patients = "typical"\ndraws = { xi_patient = 0.5 }',
    ),
    "seed negative": ("seed = 1", "seed = -1"),
    "seed with decimals": ("seed = 1", "seed = 1.5"),
    "days 0": ("days = 28", "days = 0"),
    "days in another dimension": ("days = 28", 'days = "28 mg"'),
    "days without unit": ("days = 28", 'days = "28"'),
    "days infinite": ("days = 28", "days = inf"),
    "visit without unit": ('["14 day", "28 day"]', '["14", "28 day"]'),
    "visit as a number": ('["14 day", "28 day"]', "[14, 28]"),
    "visit beyond the end": ('"28 day"]', '"29 day"]'),
    "visit at the first dose": ('["14 day"', '["0 day"'),
    "visits out of order": ('["14 day", "28 day"]', '["28 day", "14 day"]'),
    "response missing": ('response = "lugano"', ""),
    "population left out": ('population = "nhl"', ""),
    "unknown molecule": ('"mosunetuzumab"', '"mosunetuzumap"'),
    "molecule like no other": ('"mosunetuzumab"', '"abc"'),
    "unknown response": ('"lugano"', '"lugaon"'),
    "unknown solver": ('"Tsit5"', '"Tsit6"'),
    "rtol too large": ("rtol = 1e-5", "rtol = 0.5"),
    "rtol 0": ("rtol = 1e-5", "rtol = 0.0"),
    "population missing": ('"nhl"', '"nhi"'),
    "population file missing": ('"nhl"', '"populations/nhk.toml"'),
    "path of a shipped population": ('"nhl"', '"../populations/nhl.toml"'),
    "molecule file missing": ('"mosunetuzumab"', '"mosun.toml"'),
    "trajectory id unknown": ("[method]", "[trajectories]\nids = [3, 20]\n[method]"),
    "trajectory ids and number": (
        "[method]",
        "[trajectories]\npatients = 5\nids = [3]\n[method]",
    ),
    "reference unknown": ("seed = 1", 'seed = 1\nreference = "flt"'),
    "reference as a number": ("seed = 1", "seed = 1\nreference = 1"),
    "weight of the utility as text": ("[method]", '[utility]\ngrade2 = "-0.5"\n[method]'),
    "weight of the utility is infinite": ("[method]", "[utility]\ngrade2 = inf\n[method]"),
    "weight of an unknown rate": ("[method]", "[utility]\ngrade4 = -5\n[method]"),
    "utility is a number": ("seed = 1", "seed = 1\nutility = 1"),
    "trajectories 0": ("[method]", "[trajectories]\npatients = 0\n[method]"),
    "amount without unit": (STEP_1, STEP_1.replace("1 mg", "1")),
    "amount as a number": (STEP_1, STEP_1.replace('"1 mg"', "1")),
    "amount of another dimension": (STEP_1, STEP_1.replace("mg", "mL")),
    "amount in unknown unit": (STEP_1, STEP_1.replace("mg", "mgg")),
    "amount negative": (STEP_1, STEP_1.replace("1 mg", "-1 mg")),
    "amount without number": (STEP_1, STEP_1.replace("1 mg", "mg")),
    "amount infinite": (STEP_1, STEP_1.replace("1 mg", "1e999 mg")),
    "amount per kg and m^2": (STEP_1, STEP_1.replace("1 mg", "1 mg/kg/m^2")),
    **CAPS,
    "time of another dimension": (SUD2, SUD2.replace("day", "mg")),
    "time without unit": (SUD2, SUD2.replace(" day", "")),
    "doses out of order": (SUD2, SUD2.replace("7 day", "15 day")),
    "second dose before 0": (SUD2, SUD2.replace("7", "-7")),
    "first dose not at 0": ('"SUD1", time = "0 day"', '"SUD1", time = "1 day"'),
    "first dose before 0": ('"SUD1", time = "0 day"', '"SUD1", time = "-1 day"'),
    "dose after the end": (FD1_TIME, FD1_TIME.replace("14", "28")),
    "infusion beyond the end": (LAST_DOSE, LAST_DOSE.replace("4 hour", "15 day")),
    "infusions overlap": (STEP_1, STEP_1.replace("4 hour", "8 day")),
    "periods interleave": ('period = "FD1", time = "14', 'period = "SUD1", time = "14'),
    "two periods at one time": (SUD2, SUD2.replace("7 day", "0 day")),
    "period missing": (FD1_TIME, 'time = "14 day"'),
    "period empty": ('period = "SUD2"', 'period = ""'),
    "unknown route": (FLAT_DOSE, FLAT_DOSE.replace("sc", "sbc")),
    "infusion without duration": (LAST_DOSE, '"60 mg", route = "iv" }'),
    "gap longer than the interval": (
        LAST_DOSE,
        LAST_DOSE.replace("}", ', min_interval = "8 day" }').replace(" ,", ","),
    ),
    "gap in an arm without rules": (
        LAST_DOSE,
        LAST_DOSE.replace("}", ', min_interval = "3 day" }').replace(" ,", ","),
    ),
    "gap of the first dose": (STEP_1, f'{STEP_1}, min_interval = "1 day"'),
    "duration negative": (LAST_DOSE, LAST_DOSE.replace("4 hour", "-4 hour")),
    "duration for SC": (FLAT_DOSE, f'{FLAT_DOSE}, duration = "2 hour"'),
    "rate for SC": (FLAT_DOSE, FLAT_DOSE.replace("mg", "mg/day")),
    "rate for IV": (STEP_1, STEP_1.replace("mg", "mg/day")),
    "rate without duration": (LAST_DOSE, '"9 ug/day", route = "civ" }'),
    "continuous infusion of an amount": (LAST_DOSE, LAST_DOSE.replace('"iv"', '"civ"')),
    "rate in another dimension": (
        LAST_DOSE,
        '"9 ug/m^2/L", route = "civ", duration = "7 day" }',
    ),
    "repeat without every": (FLAT_DOSE, f"{FLAT_DOSE}, repeat = {{ times = 3 }}"),
    "repeat without times": (FLAT_DOSE, f'{FLAT_DOSE}, repeat = {{ every = "7 day" }}'),
    "repeat 0 times": (FLAT_DOSE, f'{FLAT_DOSE}, repeat = {{ every = "7 day", times = 0 }}'),
    "repeat every 0 days": (FLAT_DOSE, f'{FLAT_DOSE}, repeat = {{ every = "0 day", times = 3 }}'),
    "repeat beyond the end": (FLAT_DOSE, f'{FLAT_DOSE}, repeat = {{ every = "7 day", times = 9 }}'),
    "repeat is a text": (FLAT_DOSE, f'{FLAT_DOSE}, repeat = "weekly"'),
    "period names for other repeats": (
        f'"FD1", time = "0 day", {FLAT_DOSE}',
        f'["FD1", "FD2"], time = "0 day", {FLAT_DOSE}, repeat = {{ every = "7 day", times = 3 }}',
    ),
    "period label twice": (
        f'"FD1", time = "0 day", {FLAT_DOSE}',
        f'["FD1", "FD1"], time = "0 day", {FLAT_DOSE}, repeat = {{ every = "7 day", times = 2 }}',
    ),
    "same doses as an unknown arm": ('same_doses_as = "flat"', 'same_doses_as = "flta"'),
    "same doses as a copy": ('same_doses_as = "flat"', 'same_doses_as = "copy"'),
    "doses and same doses": ("[arms.flat]", '[arms.flat]\nsame_doses_as = "step_up"'),
    "premedication undefined": ('["steroid"]', '["steriod"]'),
    "premedication unknown drug": ('"dexamethasone"', '"dexametasone"'),
    "premedication wrong route": ('"dexamethasone"', '"anakinra"'),
    "premedication bolus of a drug that is infused": ('"dexamethasone"', '"obinutuzumab"'),
    "premedication unlisted drug": ('"dexamethasone"', '"cyclophosphamide"'),
    "premedication unknown route": (
        'amount = "20 mg"\nroute = "iv"',
        'amount = "20 mg"\nroute = "sc"',
    ),
    "premedication by mouth over an hour": (
        'amount = "20 mg"\nroute = "iv"',
        'amount = "20 mg"\nroute = "oral"\nduration = "1 hour"',
    ),
    "premedication without time": ('before = "1 hour"\n', ""),
    "premedication with two times": ('before = "1 hour"', 'before = "1 hour"\ntime = "0 day"'),
    "premedication before by 0": ('before = "1 hour"', 'before = "0 hour"'),
    "premedication in another dimension": ('amount = "20 mg"', 'amount = "20 nmol"'),
    "premedication as a rate": ('amount = "20 mg"', 'amount = "20 mg/day"'),
    "premedication meets no dose": ('until = "7 day"', 'from = "1 day"\nuntil = "6 day"'),
    "premedication window with a time": ('before = "1 hour"', 'time = "0 day"'),
    "premedication repeated ahead of doses": (
        'until = "7 day"',
        'repeat = { every = "7 day", times = 2 }',
    ),
    "premedication of an unknown period": ('until = "7 day"', 'periods = ["SUD1", "SDU2"]'),
    "premedication periods and window": ('until = "7 day"', 'until = "7 day"\nperiods = ["SUD1"]'),
    "parameter as a number": ('"flat"\n', '"flat"\nparameters = { "targets.skin" = 0 }\n'),
}

# Name of the case: text of the valid dose table, its replacement.
CHANGED_TABLE = {
    "table without a column": ("RATE,II,ADDL,EVID,CMT", "RATE,II,ADDL,EVIDENCE,CMT"),
    "table with an unknown column": ("AMT,RATE", "AMT,RTE"),
    "table with a column twice": ("AMT,RATE", "AMT,AMT"),
    "table line too short": ("1,0,1,6,0,0,1,central,a,SUD1", "1,0,1,6,0,0,1,central"),
    "table EVID 4": ("1,0,1,6,0,0,1,central", "1,0,1,6,0,0,4,central"),
    "table EVID missing": ("1,0,1,6,0,0,1,central", "1,0,1,6,0,0,.,central"),
    "table AMT negative": ("1,0,1,6", "1,0,-1,6"),
    "table AMT missing": ("1,0,1,6", "1,0,.,6"),
    "table AMT is a word": ("1,0,1,6", "1,0,one,6"),
    "table RATE negative": ("1,0,1,6", "1,0,1,-2"),
    "table RATE for a depot": ("2,0,5,0", "2,0,5,1"),
    "table TIME not sorted": ("1,-1,20", "1,1,20"),
    "table TIME negative for the molecule": ("2,0,5", "2,-2,5"),
    "table first dose not at 0": ("2,0,5", "2,2,5"),
    "table dose after the end": ("1,7,60", "1,30,60"),
    "table unknown CMT": ("1,central,a,SUD1", "1,centrl,a,SUD1"),
    "table unknown CMT number": ("1,central,a,SUD1", "1,2,a,SUD1"),
    "table arms with other IDs": (
        "2,0,5,0,0,0,1,depot,a,SUD1",
        "2,0,5,0,0,0,1,depot,a,SUD1\n3,0,5,0,0,0,1,depot,b,SUD1\n4,0,5,0,0,0,1,depot,b,SUD1",
    ),
    "table one ID of an arm alone": (
        "2,0,5,0,0,0,1,depot,a,SUD1",
        "2,0,5,0,0,0,1,depot,a,SUD1\n3,0,5,0,0,0,1,depot,b,SUD1",
    ),
    "table ID negative": ("2,0,5", "-2,0,5"),
    "table ID with decimals": ("2,0,5", "2.5,0,5"),
    "table II without ADDL": ("360,7,1,1", "360,7,0,1"),
    "table ADDL without II": ("360,7,1,1", "360,0,1,1"),
    "table ADDL with decimals": ("360,7,1,1", "360,7,1.5,1"),
    "table period for some doses": ("central,a,FD", "central,a,"),
    "table periods interleave": (
        "1,7,60,360,7,1,1,central,a,FD",
        "1,7,2,0,0,0,1,central,a,SUD2\n1,8,2,0,0,0,1,central,a,SUD1",
    ),
    "table with several unknown columns": ("ID,TIME,AMT,RATE,II", "ID,TIME,AMT,RTE,DOSE"),
    "table ID comes back": ("depot,a,SUD1\n", "depot,a,SUD1\n1,14,1,0,0,0,1,depot,a,FD\n"),
    "table EVID 201": ("2,0,5,0,0,0,1", "2,0,5,0,0,0,201"),
    "table EVID is a word": ("2,0,5,0,0,0,1", "2,0,5,0,0,0,dose"),
    "table amount of an observation": ("1,1,.,.,.,.,0", "1,1,60,.,.,.,0"),
    "table rate of another event": ("1,1,.,.,.,.,0", "1,1,.,15,.,.,2"),
    "table RATE -1": ("1,0,1,6", "1,0,1,-1"),
    "table clock time": ("1,7,60", "1,08:00,60"),
    "table date": ("1,7,60", "1,2026-11-29,60"),
    "table decimal comma": ("1,0,1,6", '1,0,"0,5",6'),
    "table decimal comma without quotes": ("1,0,1,6", "1,0,0,5,6"),
    "table infinite AMT": ("1,0,1,6", "1,0,1e999,6"),
    "table open quote": ("2,0,5,0,0,0,1,depot", '2,0,5,0,0,0,1,"depot'),
    "table with tabs": (TABLE, TABLE.replace(",", "\t")),
    "table with semicolons": (TABLE, TABLE.replace(",", ";")),
    "table with spaces": (TABLE, TABLE.replace(",", " ")),
    "table empty": (TABLE, ""),
    "table cell below no name": (
        TABLE,
        TABLE.replace("\n", ",\n").replace("FD,\n2", "FD,note\n2"),
    ),
    "table without doses": (TABLE[TABLE.index("\n") :], "\n"),
}

# Name of the case: the config, the overrides.
BAD_OVERRIDES = {
    "override without value": (CONFIG, ["patients"]),
    "override without key": (CONFIG, ["=3"]),
    "override of an unknown key": (CONFIG, ["patient=3"]),
    "override out of range": (CONFIG, ["patients=200", "patients=0"]),
    "override of a value of the model": (CONFIG, ["synapse.alpha=1e-3"]),
    "override in an unknown table": (CONFIG, ["methods.rtol=1e-6"]),
    "override of an unknown arm": (CONFIG, ["arms.flta.doses.0.amount=30 mg"]),
    "override beyond the doses": (CONFIG, ["arms.flat.doses.1.amount=30 mg"]),
    "override of a borrowed dose": (CONFIG, ["arms.copy.doses.0.amount=30 mg"]),
    "override within a value": (CONFIG, ["days.length=30"]),
    "override without unit": (CONFIG, ["arms.flat.doses.0.amount=30"]),
    "override with wrong unit": (CONFIG, ["arms.flat.doses.0.amount=30 L"]),
    "override list without quotes": (CONFIG, ["visits=[14 day]"]),
    "override that moves the end": (CONFIG, ["days=7"]),
    "override that moves the end before a visit": (CONFIG, ["days=20"]),
    "override that moves the end before an infusion is over": (
        CONFIG.replace(LAST_DOSE, LAST_DOSE.replace("4 hour", "14 day")),
        ["visits=[]", "days=27"],
    ),
    "override that moves the end before a line": (TABLE_CONFIG, ["days=7"]),
    "override of the end and of a visit": (CONFIG, ["days=15", 'visits=["21 day"]']),
    "more patients than the table": (TABLE_CONFIG, ["patients=3"]),
    "patient without doses": (TABLE_CONFIG, ["patients=[1, 3]"]),
    "typical patient of several with doses": (TABLE_CONFIG, ["patients=typical"]),
    "override of a draw": (CONFIG, ["draws.t_cells.k_act=[1, 2]"]),
    "dose table file missing": (TABLE_CONFIG, ["dose_table.file=dose.csv"]),
    "dose table unit of time": (TABLE_CONFIG, ["dose_table.time_unit=days"]),
    "dose table unit of amount": (TABLE_CONFIG, ["dose_table.amount_unit=mL"]),
    "dose table unit is a rate": (TABLE_CONFIG, ["dose_table.amount_unit=mg/day"]),
    "dose table compartment": (TABLE_CONFIG, ['dose_table.compartments={ 1 = "depott" }']),
    "premedication with a dose table": (
        TABLE_CONFIG,
        ['premedication={ x = { drug = "tocilizumab", amount = "8 mg/kg", route = "iv" } }'],
    ),
}

CASES = {
    **{name: (CONFIG.replace(*change), TABLE, []) for name, change in CHANGED_CONFIG.items()},
    **{name: (TABLE_CONFIG, TABLE.replace(*change), []) for name, change in CHANGED_TABLE.items()},
    **{name: (config, TABLE, changes) for name, (config, changes) in BAD_OVERRIDES.items()},
}


GOLDEN = read_messages(GOLDEN_FILE)


@pytest.fixture(scope="module")
def golden(request):
    messages = GoldenMessages(
        GOLDEN_FILE, CASES, update=request.config.getoption("--update-golden")
    )
    yield messages
    messages.save()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "populations").mkdir()
    (tmp_path / "populations" / "nhl.toml").touch()
    return tmp_path


def message(config, table, overrides):
    pathlib.Path("bad.toml").write_text(config, encoding="utf-8")
    pathlib.Path("doses.csv").write_text(table, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load("bad.toml", overrides)
    return str(caught.value)


@pytest.mark.parametrize("name", CASES)
def test_message(name, folder, golden):
    config, table, overrides = CASES[name]
    golden.check(name, message(config, table, overrides))


def test_every_case_changes_something_and_has_one_message():
    assert len(CASES) == len(CHANGED_CONFIG) + len(CHANGED_TABLE) + len(BAD_OVERRIDES)
    assert set(CASES) == set(GOLDEN)
    assert all(CONFIG.count(old) >= 1 for old, _ in CHANGED_CONFIG.values())
    assert all(TABLE.count(old) == 1 for old, _ in CHANGED_TABLE.values())


def test_every_message_is_one_line_in_the_same_words():
    for text in GOLDEN.values():
        assert "\n" not in text
        assert " must " in text
        assert ", but is " in text
        assert text.endswith(".")


@pytest.mark.parametrize(("config", "table"), [(CONFIG, TABLE), (TABLE_CONFIG, TABLE)])
def test_unchanged_input_is_accepted(config, table, folder):
    pathlib.Path("good.toml").write_text(config, encoding="utf-8")
    pathlib.Path("doses.csv").write_text(table, encoding="utf-8")
    assert load("good.toml").trial(146.0).arms


def test_config_file_missing(folder):
    (folder / "trial.toml").write_text(CONFIG, encoding="utf-8")
    expected = "trail.toml: the config file must exist, but is missing. Did you mean 'trial.toml'?"
    with pytest.raises(ConfigError) as caught:
        load("trail.toml")
    assert str(caught.value).startswith(expected)


def test_config_is_a_folder(folder):
    with pytest.raises(ConfigError, match="the config must be a text file"):
        load("populations")


def test_config_is_not_text(folder):
    (folder / "bad.toml").write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(ConfigError, match="the config must be a text file"):
        load("bad.toml")
