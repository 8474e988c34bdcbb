"""Configs with observations, written to a folder."""

from qsp.config import load

TRIAL = """
molecule = "mosunetuzumab"
population = "nhl"
days = 28
response = "lugano"
"""
TABLE = """
[dose_table]
file = "doses.csv"
time_unit = "hour"
compartments = { 2 = "central" }
"""
DRUG_AND_IL6 = """
[observations]
quantities.1 = { quantity = "drug", unit = "ng/mL" }
quantities.2 = { quantity = "il6", unit = "pg/mL" }
"""
ARM = """
[arms.flat]
doses = [{ period = "D1", time = "0 day", amount = "1 mg", route = "iv", duration = "4 hour" }]
"""
HEADER = "ID,TIME,AMT,RATE,EVID,CMT,DV,DVID,MDV,LLOQ,BLQ"
DOSE = "{id},0,1,0.25,1,2,.,.,1,.,."


def lines(*rows):
    return "\n".join(rows) + "\n"


def of_table(folder, *rows, header=HEADER, dose=DOSE, observed=DRUG_AND_IL6, ids=(1,)):
    """The config of a dose table with a dose for each id, and these rows of observations."""
    (folder / "doses.csv").write_text(
        lines(header, *(row for id in ids for row in _of_patient(id, dose, rows)))
    )
    return load_text(folder, TRIAL + TABLE + observed)


def of_file(folder, text, *, observed=DRUG_AND_IL6, arms=ARM, file="observed.csv"):
    """The config of an arm, and a file of observations."""
    (folder / file).write_text(text)
    observed = observed.replace("[observations]", f'[observations]\nfile = "{file}"')
    return load_text(folder, TRIAL + "patients = 4\n" + arms + observed)


def _of_patient(id, dose, rows):
    own = [row for row in rows if row.split(",")[0] in (str(id), "{id}")]
    return [row.format(id=id) for row in (dose, *own)]


def load_text(folder, text):
    """The config with this text."""
    path = folder / "trial.toml"
    path.write_text(text)
    return load(path)
