"""Two small runs with observations: arms with shared doses, and patients with their own."""

import pytest

import qsp
from tests.observations.files import DRUG_AND_IL6, TABLE, TRIAL, lines

ARMS = """
[arms.low]
doses = [{ period = "D1", time = "0 day", amount = "1 mg", route = "iv", duration = "4 hour" }]
[arms.high]
doses = [{ period = "D1", time = "0 day", amount = "10 mg", route = "iv", duration = "4 hour" }]
"""
OBSERVED = (
    DRUG_AND_IL6.replace("[observations]", '[observations]\nfile = "observed.csv"')
    + """
quantities.3 = { quantity = "crs", grading = "ASTCT2019" }
quantities.4 = { quantity = "temperature", unit = "degC" }
quantities.5 = { quantity = "t_cells", unit = "cell/uL" }
"""
)
ROWS = lines(
    "ID,ARM,TIME,DVID,DV,LLOQ,BLQ",
    "1,low,0.1666667,1,220,1,0",
    "1,low,1,1,120,1,0",
    "1,low,1,2,300,2,0",
    "1,low,3.3,2,.,4,1",
    "1,low,0.4,3,1,.,0",
    "1,low,0.4,4,38.5,.,0",
    "2,low,1,2,20,2,0",
    "2,low,40,2,20,2,0",
    "2,low,2,5,900,.,0",
    "3,high,1,1,1500,1,0",
    "3,high,1.5,2,700,2,0",
    "3,high,0,3,0,.,0",
)


def short(text):
    """The text of a trial over eight days, as that of the other tests of runs."""
    return text.replace("days = 28", "days = 8")


@pytest.fixture(scope="session")
def arms_folder(tmp_path_factory):
    """Folder with a config of two arms, and its observations."""
    folder = tmp_path_factory.mktemp("arms")
    (folder / "observed.csv").write_text(ROWS)
    (folder / "trial.toml").write_text(short(TRIAL) + "patients = 24\n" + ARMS + OBSERVED)
    return folder


@pytest.fixture(scope="session")
def run(arms_folder):
    """Results of two arms with shared doses."""
    return qsp.read(arms_folder / "trial.toml").simulate(progress=False)


@pytest.fixture(scope="session")
def own_doses(tmp_path_factory):
    """Results of two patients with their own doses: 1 mg and 10 mg."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "doses.csv").write_text(
        lines(
            "ID,TIME,AMT,RATE,EVID,CMT,DV,DVID",
            *("7,0,1,0.25,1,2,.,.", "7,24,.,.,0,2,120,1", "7,36,.,.,0,2,50,2"),
            *("9,0,10,2.5,1,2,.,.", "9,24,.,.,0,2,1300,1", "9,36,.,.,0,2,500,2"),
        )
    )
    (folder / "trial.toml").write_text(short(TRIAL) + TABLE + DRUG_AND_IL6)
    return qsp.read(folder / "trial.toml").simulate(progress=False)
