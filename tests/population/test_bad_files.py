# ruff: noqa: E501 - a case is one line, like a row of a table
"""Errors in parameter and covariate files are reported in one line.

Each case changes one thing in a shipped file or in a small user file. `bad_files.golden.txt`
holds the exact message of each case. `pytest tests/population --update-golden` rewrites the file;
review its diff.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qsp import molecules
from qsp.errors import ConfigError
from qsp.populations import nominal, read_cohort, read_covariates, sample, user_file
from tests.golden_messages import GoldenMessages, read_messages

ROOT = Path(__file__).parents[2]
GOLDEN_FILE = Path(__file__).with_name("bad_files.golden.txt")
SHIPPED = {
    "molecule.toml": (ROOT / "qsp/molecules/mosunetuzumab.toml").read_text(encoding="utf-8"),
    "people.toml": (ROOT / "populations/nhl.toml").read_text(encoding="utf-8"),
    "user.toml": '[disposition]\nV1 = { value = "5 L", cv = "20 %" }\n',
    "patients.csv": "id,body_weight,age,sex\n0,70,50,male\n1,80,60,female\n",
}
PAIR = 'between = ["disposition.CL_base", "disposition.V1"]\nvalue = 0.88'
B_CELLS = 'values."targets.baseline.normal.blood" = { median = "600 Mcell", cv = "150 %" }'
Q = 'Q = { value = "1.46 L/day", source = "Bender2024", status = "published" }'
KD = 'KD_CD3 = { value = "40 nmol/L", status = "assumed", note = "recalled" }'
KA = (
    'ka = { value = "0.3 1/day", status = "assumed", '
    'note = "from a recalled time of peak of 3 to 7 days" }\n'
    'bioavailability = { value = "0.8", status = "assumed", note = "recalled: 0.6 to 0.9" }'
)
BY_SIZE = (
    '[tumor]\nreference_cells = "50000 Mcell"\nsize_exponent = "0.5"\n'
    't_cells = "5000 Mcell"\nk_exit = "0.002 1/hour"\n'
)
REFERENCE_CELLS = (
    'reference_cells = { value = "50000 Mcell", status = "assumed", '
    'note = "median of cells, at which t_cells applies" }\n'
)

CASES: dict[str, tuple[str, str, str]] = {
    # === molecule ===
    "molecule is not TOML": ("molecule.toml", 'target = "CD20"', "target = CD20"),
    "unknown key in a molecule": ("molecule.toml", "routes = [", "roots = ["),
    "table of the population in a molecule": ("molecule.toml", "[synapse]", "[targets]"),
    "target missing": ("molecule.toml", 'target = "CD20"\n', ""),
    "unknown clearance": ("molecule.toml", "time_varying", "time-varying"),
    "unknown form of the synapse": ("molecule.toml", '"plateau"', '"closed"'),
    "unknown in vitro effect": ("molecule.toml", "[in_vitro]\nactivation", "[in_vitro]\nactivity"),
    "in vitro effect in another unit": ("molecule.toml", '"130 ng/mL"', '"130 nmol/L"'),
    "law of growth of 0.1.0": ("people.toml", 'disease =', 'growth = "simeoni"\ndisease ='),
    "linear growth of 0.1.0": ("people.toml", "[targets.capacity]", '[targets.linear_growth]\ntumor = { value = "500 Mcell/day", status = "assumed" }\n\n[targets.capacity]'),
    "unknown route": ("molecule.toml", '["iv", "sc"]', '["iv", "oral"]'),
    "weight without unit": ("molecule.toml", "146 kDa", "146"),
    "value without unit": ("molecule.toml", "1.46 L/day", "1.46"),
    "value with another dimension": ("molecule.toml", "1.46 L/day", "1.46 L"),
    "value is a bare number": ("molecule.toml", '"1.46 L/day"', "1.46"),
    "value is not a table": ("molecule.toml", Q, "Q = 1.46"),
    "unknown key of a value": ("molecule.toml", 'Q = { value = "1.46 L/day", source', 'Q = { value = "1.46 L/day", sources'),
    "status missing": ("molecule.toml", Q, 'Q = { value = "1.46 L/day" }'),
    "unknown status": ("molecule.toml", Q, Q.replace("published", "guessed")),
    "published without source": ("molecule.toml", Q, Q.replace('source = "Bender2024", ', "")),
    "tuned without note": ("molecule.toml", Q, Q.replace("published", "tuned")),
    "unknown parameter": ("molecule.toml", "KD_target =", "KD_targt ="),
    "element missing": ("molecule.toml", Q, Q + '\nk_exchange = { value = "1 1/day", status = "assumed" }'),
    "affinity missing": ("molecule.toml", KD + "\n", ""),
    "second volume without intercompartmental clearance": ("molecule.toml", Q, ""),
    "route without absorption": ("molecule.toml", KA, ""),
    "soluble target without affinity": ("people.toml", "[cells.area]", '[antigens.CD20.soluble]\nblood = { value = "8 nmol/L", status = "assumed" }\n\n[cells.area]'),
    "internalization with time-varying clearance": ("molecule.toml", "[binding]", '[binding]\nk_int_CD3 = { value = "1 1/day", status = "assumed" }'),
    "time-varying values with mechanistic clearance": ("molecule.toml", '"time_varying"', '"mechanistic"'),
    "shared value given again": ("molecule.toml", Q, Q + '\nk_lymph = { value = "1 1/day", status = "assumed" }'),
    "replaces without note": ("molecule.toml", Q, Q + '\nk_lymph = { value = "1 1/day", status = "assumed", replaces = true }'),
    "replaces nothing": ("molecule.toml", Q, Q.replace('status = "published"', 'status = "published", replaces = true, note = "new"')),
    "unknown covariate": ("molecule.toml", 'covariate = "body_weight", reference = "78 kg", exponent = 0.737', 'covariate = "weight", reference = "78 kg", exponent = 0.737'),
    "covariate without reference": ("molecule.toml", 'reference = "78 kg", exponent = 0.737', "exponent = 0.737"),
    "unknown level of sex": ("molecule.toml", 'level = "female", factor = -0.128', 'level = "woman", factor = -0.128'),
    "correlation of one": ("molecule.toml", PAIR, PAIR.replace("0.88", "1.0")),
    "correlation of an unknown value": ("molecule.toml", PAIR, PAIR.replace("V1", "V3")),
    "correlations not positive definite": (
        "molecule.toml",
        PAIR,
        '\n[[correlations]]\n'.join(
            [
                PAIR,
                PAIR.replace("V1", "V2"),
                PAIR.replace("CL_base", "V2").replace("0.88", "-0.88"),
            ]
        ),
    ),
    # === population ===
    "antigen missing": ("people.toml", "antigens.CD20", "antigens.CD22"),
    "card missing": ("people.toml", 'card = """', 'notes = """'),
    "unknown response criteria": ("people.toml", '"lugano"', '"irecist"'),
    "negative spread": ("people.toml", 'cv = "120 %"', 'cv = "-120 %"'),
    "sd without distribution": ("people.toml", 'distribution = "logit_normal", sd', "sd"),
    "fraction above one": ("people.toml", 'antigen_low = { value = "0.01"', 'antigen_low = { value = "1.01"'),
    "value outside its bounds": ("people.toml", '"50000 Mcell"', '"5e6 Mcell"'),
    "weights of a mixture": ("people.toml", "weight = 0.3", "weight = 0.4"),
    "mixture of an unknown value": ("people.toml", B_CELLS, B_CELLS.replace("normal.blood", "normal.bood")),
    "component with median and factor": ("people.toml", B_CELLS, B_CELLS.replace("{ ", "{ factor = 2.0, ")),
    "median of a mixture in another unit": ("people.toml", "600 Mcell", "600 L"),
    "covariate missing": ("people.toml", 'age = { value = "63 year", distribution', 'ages = { value = "63 year", distribution'),
    "sex missing": ("people.toml", 'sex = { female = "35.3 %", source = "Bender2024", status = "published" }', ""),
    "share of women": ("people.toml", "35.3 %", "135.3 %"),
    "weight that may be negative": ("people.toml", 'cv = "22 %", low = "37 kg", high = "163 kg"', 'distribution = "normal", sd = "18 kg"'),
    "extends itself": ("people.toml", 'title = "Rel', 'extends = "people.toml"\ntitle = "Rel'),
    "extends nothing": ("people.toml", 'title = "Rel', 'extends = "mhl.toml"\ntitle = "Rel'),
    # === user files ===
    "unknown path in a user file": ("user.toml", "V1 =", "Vd ="),
    "valency of three arms": ("user.toml", "[disposition]", '[binding]\nvalency = "3"\n[disposition]'),
    "size of a tumor without its reference": ("people.toml", REFERENCE_CELLS, ""),
    "T cells of a tumor given twice": ("user.toml", "[disposition]", f"{BY_SIZE}[t_cells.baseline]\ntumor = \"3 Mcell\"\n[disposition]"),
    "negative volume": ("user.toml", 'value = "5 L", cv = "20 %"', 'value = "-5 L"'),
    "wrong unit in a user file": ("user.toml", "5 L", "5 mg"),
    "unknown distribution": ("user.toml", 'cv = "20 %"', 'cv = "20 %", distribution = "lognormal"'),
    "two spreads": ("user.toml", 'cv = "20 %"', 'cv = "20 %", sd = "1 L"'),
    "unknown column": ("patients.csv", "body_weight", "weight"),
    "no id column": ("patients.csv", "id,", "ids,"),
    "id twice": ("patients.csv", "1,80", "0,80"),
    "id is not a number": ("patients.csv", "1,80", "B,80"),
    "weight is not a number": ("patients.csv", "1,80", "1,80 kg"),
    "weight is negative": ("patients.csv", "1,80", "1,-80"),
    "weight out of range": ("patients.csv", "1,80", "1,600"),
    "height in cm": ("patients.csv", "body_weight,age,sex\n0,70,50,male\n1,80", "height,age,sex\n0,175,50,male\n1,1.80"),
    "age out of range": ("patients.csv", "80,60", "80,600"),
    "body surface out of range": ("patients.csv", "body_weight,age,sex\n0,70,50,male\n1,80", "body_surface,age,sex\n0,5.2,50,male\n1,2"),
    "unknown sex": ("patients.csv", "female", "w"),
    "cell missing": ("patients.csv", "1,80,60,female", "1,80,60"),
    "patient not in the run": ("patients.csv", "1,80", "17,80"),
    "no patients": ("patients.csv", "0,70,50,male\n1,80,60,female\n", ""),
}  # fmt: skip


GOLDEN = read_messages(GOLDEN_FILE)


@pytest.fixture(scope="module")
def golden(request) -> Iterator[GoldenMessages]:
    update = request.config.getoption("--update-golden")
    messages = GoldenMessages(GOLDEN_FILE, CASES, update=update)
    yield messages
    messages.save()


@pytest.fixture
def run(tmp_path) -> Callable[[], None]:
    """A function that reads the files in the folder and samples patients."""

    def read() -> None:
        molecule = molecules.load(tmp_path / "molecule.toml")
        cohort = read_cohort(tmp_path / "people.toml")
        overrides = [user_file(tmp_path / "user.toml")]
        covariates = read_covariates(tmp_path / "patients.csv")
        table = nominal(molecule, cohort, overrides)
        sample(table, range(4), seed=1, periods=1, covariates=covariates)

    for name, text in SHIPPED.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return read


def message(name: str, tmp_path: Path, read: Callable[[], None]) -> str:
    file, old, new = CASES[name]
    (tmp_path / file).write_text(SHIPPED[file].replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read()
    return str(caught.value)


def test_unchanged_files_are_accepted(run):
    run()


def test_every_case_changes_a_file_and_has_a_golden_message():
    assert set(GOLDEN) == set(CASES)
    for file, old, _ in CASES.values():
        assert old in SHIPPED[file]


@pytest.mark.parametrize("name", CASES)
def test_message(name, tmp_path, run, golden):
    golden.check(name, message(name, tmp_path, run))


@pytest.mark.parametrize("name", CASES)
def test_messages_have_rule_value_and_remedy_in_one_line(name):
    text = GOLDEN[name]
    assert " must " in text
    assert ", but is " in text
    assert text.endswith(".")
